"""The rows of each feature in the embedding tables, and which of them the served graph holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from ranker.encoding.layout import IdField, Layout, Side

ROWS = "_rows_"
"""Part of the name of each input that takes rows: ``candidate_rows_item_id``."""


@dataclass(frozen=True)
class TableRegion:
    """Rows ``offset`` to ``offset + rows`` of the table of width ``dimension``: those of one vocabulary.

    ``fields`` are the id fields that read them, with their sides: the feature's own and the sequences that share it.
    """

    feature: str
    dimension: int
    offset: int
    rows: int
    fields: tuple[tuple[Side, IdField], ...]


def table_regions(layout: Layout) -> list[TableRegion]:
    """The regions of all tables, by width and offset."""
    sharing: dict[tuple[int, int], list[tuple[Side, IdField]]] = {}
    for name, side in layout.sides():
        for field in side.ids:
            sharing.setdefault((field.dimension, field.offset), []).append((name, field))
    places = sorted(sharing)
    regions = []
    for place, after in zip(places, [*places[1:], (0, 0)], strict=False):  # without ids there is none
        dimension, offset = place
        end = after[1] if after[0] == dimension else layout.tables[dimension]
        fields = tuple(sharing[place])
        own = [field.feature for _, field in fields if field.pooling is None]  # a sequence shares one of these
        regions.append(TableRegion((own or [fields[0][1].feature])[0], dimension, offset, end - offset, fields))
    return regions


class TablesInside:
    """The tables of a graph without some regions, whose rows the graph takes as inputs.

    Attributes
    ----------
    layout
        Layout of the complete tables.
    beside
        Regions that the graph does not hold.
    """

    def __init__(self, layout: Layout, beside: Collection[str] = ()) -> None:
        """``beside`` names the features of the regions to leave out."""
        self.layout = layout
        regions = table_regions(layout)
        self.beside = [region for region in regions if region.feature in beside]
        self._kept = [region for region in regions if region.feature not in beside]

    @cached_property
    def offsets(self) -> Mapping[tuple[Side, str], int]:
        """First row of each field's region in the smaller table, by side and feature, for fields that are inside."""
        found: dict[tuple[Side, str], int] = {}
        for dimension in self.layout.tables:
            kept = [region for region in self._kept if region.dimension == dimension]
            starts = accumulate((region.rows for region in kept[:-1]), initial=0)
            for region, start in zip(kept, starts, strict=False):
                found.update({(side, field.feature): start for side, field in region.fields})
        return found

    @cached_property
    def inputs(self) -> Mapping[tuple[Side, str], str]:
        """Names of the inputs with rows [N, L * D], by side and feature, for fields that are beside the graph."""
        return {
            (side, field.feature): f"{side}{ROWS}{field.feature}"
            for region in self.beside
            for side, field in region.fields
        }

    def ranges(self, dimension: int) -> list[tuple[int, int]]:
        """First and last row (exclusive) of each region that is inside, in the complete table of a width."""
        return [(r.offset, r.offset + r.rows) for r in self._kept if r.dimension == dimension]
