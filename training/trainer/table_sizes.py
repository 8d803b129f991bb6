"""Sizes of embedding tables, reported before training."""

from typing import NamedTuple

from ranker.encoding import Layout
from ranker.encoding.table_regions import table_regions

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
    tables = [
        TableSize(tuple(field.feature for _, field in region.fields), region.rows, region.dimension * sets)
        for region in table_regions(layout)
    ]
    return sorted(tables, key=lambda table: table.size, reverse=True)


def describe_tables(tables: list[TableSize]) -> str:
    """One line naming the largest tables."""
    more = f", and {len(tables) - NAMED} more" if len(tables) > NAMED else ""
    total = mebibytes(sum(table.size for table in tables))
    return f"embedding tables: {total} in all: {', '.join(map(str, tables[:NAMED]))}{more}"


def mebibytes(size: int) -> str:
    """Format a size in bytes as MiB."""
    return f"{size / 2**20:,.1f} MiB"
