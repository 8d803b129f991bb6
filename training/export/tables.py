"""Chooses the tables that are kept beside the exported graph, and writes them."""

from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.encoding.table_regions import TableRegion, TablesInside, table_regions
from ranker.engines.row_tables import RowInput, write_facts, write_rows
from ranker.model import RankingModel
from training.export.onnx import rows_of

Placement: TypeAlias = Literal["auto", "beside", "inside"]
VALUE = 4
"""Bytes of an entry of a table in the graph."""
LARGE = 2**24
"""Bytes from which ``auto`` keeps a feature's rows beside the graph."""
LARGEST = 2**31 - 2**24
"""Most bytes of tables in a graph: protobuf's 2 GiB minus 16 MiB for the rest of it."""


class TableOptions(NamedTuple):
    """Where the exported tables are kept, and how those beside the graph are stored."""

    placement: Placement = "auto"
    """``beside`` or ``inside`` the graph; ``auto``: beside it if a feature's rows take 16 MiB or more."""
    precision: str = "float32"
    """A name in :data:`~ranker.engines.row_formats.ROW_FORMATS`."""


DEFAULT = TableOptions()


def beside(model: RankingModel, placement: Placement) -> list[TableRegion]:
    """The regions to keep beside the graph, largest first.

    ``auto`` also takes smaller ones if a file cannot hold the rest. Raises ``ValueError`` if the tables should all be
    inside, and a file cannot hold them.
    """
    regions = sorted(table_regions(model.embedding.layout), key=lambda region: size(model, region), reverse=True)
    if placement == "beside":
        return regions
    total, chosen = sum(size(model, region) for region in regions), []
    for region in regions if placement == "auto" else ():
        if size(model, region) >= LARGE or total > LARGEST:
            chosen.append(region)
            total -= size(model, region)
    if total > LARGEST:
        first = regions[0]
        raise ValueError(
            f"tables: inside would put {total:,} bytes of tables into the graph, and a model file holds at most "
            f"{LARGEST:,}; the largest, of {first.feature}, has {size(model, first):,}. Choose auto or beside"
        )
    return chosen


def size(model: RankingModel, region: TableRegion) -> int:
    """Bytes of a region's rows."""
    return region.rows * width(model, region) * VALUE


def width(model: RankingModel, region: TableRegion) -> int:
    """Entries of a row, of all embedding sets."""
    return region.dimension * model.embedding.sets


def write_tables(model: RankingModel, regions: list[TableRegion], precision: str, path: Path) -> None:
    """Write the rows of ``regions`` beside the ONNX file at ``path``."""
    if not regions:
        return
    inside = TablesInside(model.embedding.layout, [region.feature for region in regions])
    facts = {
        region.feature: write_rows(
            path, region.feature, precision, RegionRows(model, region), (region.rows, width(model, region))
        )
        for region in regions
    }
    inputs = {
        inside.inputs[side, field.feature]: RowInput(region.feature, f"{side}_ids", field.start, field.length)
        for region in regions
        for side, field in region.fields
    }
    write_facts(path, facts, inputs)


class RegionRows:
    """The rows of a region of a model's tables, read in slices."""

    def __init__(self, model: RankingModel, region: TableRegion) -> None:
        self._table: tf.Variable = model.embedding.tables[str(region.dimension)]
        self._offset = region.offset

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        return rows_of(self._table, self._offset + part.start, self._offset + part.stop)
