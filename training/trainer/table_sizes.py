"""Sizes of embedding tables, reported and checked before training because export has a size limit."""

from typing import NamedTuple

from ranker.encoding import Layout
from training.data.log_reader import DataError

LARGEST = 2**31 - 2**24
"""Largest total table size in bytes that can be exported: protobuf's 2 GiB minus 16 MiB for the rest of the graph."""
NAMED = 4
VALUE = 4
"""Bytes per table entry."""


class TableSize(NamedTuple):
    """Size of one table: the features that share it, its rows and its width."""

    features: tuple[str, ...]
    rows: int
    width: int

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.rows * self.width * VALUE

    def __str__(self) -> str:
        return f"{', '.join(self.features)} {self.rows:,} x {self.width} ({mebibytes(self.size)})"


def table_sizes(layout: Layout, sets: int = 1) -> list[TableSize]:
    """Table sizes, largest first; ``sets`` is the architecture's number of embedding sets."""
    tables = []
    for dimension, rows in layout.tables.items():
        sharing: dict[int, list[str]] = {}
        for _, side in layout.sides():
            for field in side.ids:
                if field.dimension == dimension:
                    sharing.setdefault(field.offset, []).append(field.feature)
        starts = sorted(sharing)
        for start, end in zip(starts, [*starts[1:], rows], strict=True):
            tables.append(TableSize(tuple(sharing[start]), end - start, dimension * sets))
    return sorted(tables, key=lambda table: table.size, reverse=True)


def describe_tables(tables: list[TableSize]) -> str:
    """One line naming the largest tables."""
    more = f", and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
    total = mebibytes(sum(table.size for table in tables))
    return f"embedding tables: {total} in all: {', '.join(map(str, tables[:NAMED]))}{more}"


def check_tables(tables: list[TableSize]) -> None:
    """Raise ``DataError`` if the tables are too large to export."""
    total = sum(table.size for table in tables)
    if total > LARGEST:
        first = tables[0]
        raise DataError(
            f"embedding tables of {total:,} bytes cannot be exported: a model file holds less than 2 GiB, "
            f"at most {LARGEST:,} bytes of tables. The largest is {first}. Give it a smaller dimension, "
            "or fewer rows with min_count, max_size or hash_buckets"
        )


def mebibytes(size: int) -> str:
    """Format a size in bytes as MiB."""
    return f"{size / 2**20:,.1f} MiB"
