"""How large embedding tables are, said before training, since what is too large to export would show only after it."""

from typing import NamedTuple

from ranker.encoding import Layout
from training.data.log_reader import DataError

LARGEST = 2**31 - 2**24
"""Bytes of all tables of a model that can be exported: protobuf's 2 GiB, less 16 MiB for the rest of the graph."""
NAMED = 4
VALUE = 4
"""Bytes of one number of a table."""


class TableSize(NamedTuple):
    """The rows of one feature, and of those that share them: so many rows of ``width`` numbers."""

    features: tuple[str, ...]
    rows: int
    width: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.rows * self.width * VALUE

    def __str__(self) -> str:
        return f"{', '.join(self.features)} {self.rows:,} x {self.width} ({mebibytes(self.size)})"


def table_sizes(layout: Layout, sets: int = 1) -> list[TableSize]:
    """Sizes by feature, the largest first; of an architecture with several ``sets`` of embeddings, of all sets."""
    found = []
    for dimension, rows in layout.tables.items():
        sharing: dict[int, list[str]] = {}
        for _, side in layout.sides():
            for field in side.ids:
                if field.dimension == dimension:
                    sharing.setdefault(field.offset, []).append(field.feature)
        starts = sorted(sharing)
        for start, end in zip(starts, [*starts[1:], rows], strict=True):
            found.append(TableSize(tuple(sharing[start]), end - start, dimension * sets))
    return sorted(found, key=lambda table: table.size, reverse=True)


def told(tables: list[TableSize]) -> str:
    """One line with the largest tables."""
    more = f", and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
    total = mebibytes(sum(table.size for table in tables))
    return f"embedding tables: {total} in all: {', '.join(map(str, tables[:NAMED]))}{more}"


def check_tables(tables: list[TableSize]) -> None:
    """Raise ``DataError`` where the tables are more than can be exported."""
    total = sum(table.size for table in tables)
    if total > LARGEST:
        first = tables[0]
        raise DataError(
            f"embedding tables of {total:,} bytes cannot be exported: a model file holds less than 2 GiB, "
            f"{LARGEST:,} bytes of tables. The largest is {first}. Give it a smaller dimension, "
            "or fewer rows by min_count, max_size or hash_buckets"
        )


def mebibytes(size: int) -> str:
    """Bytes for a person."""
    return f"{size / 2**20:,.1f} MiB"
