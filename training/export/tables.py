"""Chooses the tables that are kept beside the exported graph, and writes them."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.table_regions import TableRegion, TablesInside, table_regions
from ranker.engines.row_formats import ROW_FORMATS
from ranker.engines.row_tables import CHUNK, RowInput, write_facts, write_rows
from ranker.inference.agreement import MIN_NDCG
from ranker.layers.sharded_table import put_rows, rows_of
from ranker.model import RankingModel
from ranker.registry import require_known

Placement: TypeAlias = Literal["auto", "beside", "inside"]
VALUE = 4
"""Bytes of an entry of a table in the graph."""
EXACT = "float32"
LARGE = 2**24
"""Bytes from which ``auto`` keeps a feature's rows beside the graph."""
LARGEST = 2**31 - 2**24
"""Most bytes of tables in a graph: protobuf's 2 GiB minus 16 MiB for the rest of it."""


class TableOptions(NamedTuple):
    """Where the exported tables are kept, and how those beside the graph are stored."""

    placement: Placement = "auto"
    """All ``beside`` or ``inside`` the graph; ``auto``: beside it if a feature's rows take 16 MiB or more."""
    precision: str = "float32"
    """A name in :data:`~ranker.engines.row_formats.ROW_FORMATS`, for rows beside the graph."""
    min_ndcg: float = MIN_NDCG
    """Bound of the NDCG@10 of validation rankings by rounded rows, below which they are not exported."""

    @property
    def rounds(self) -> bool:
        """Whether the rows are stored in less than float32."""
        return self.precision != EXACT


DEFAULT = TableOptions()


def table_options(placement: str, precision: str, min_ndcg: float) -> TableOptions:
    """Check the options of an export. Raises ``ValueError`` that names the option."""
    require_known(placement, get_args(Placement), "tables", "a place for tables")
    require_known(precision, ROW_FORMATS, "table_precision", "a precision of tables")
    if not 0 <= min_ndcg <= 1:
        raise ValueError(f"min_ndcg: must be from 0 to 1, got {min_ndcg}")
    return TableOptions(cast("Placement", placement), precision, min_ndcg)


def beside(model: RankingModel, options: TableOptions) -> list[TableRegion]:
    """The regions to keep beside the graph, largest first.

    ``auto`` also takes smaller ones if a file cannot hold the rest. Raises ``ValueError`` if the tables should all be
    inside, and a file cannot hold them, and for a precision of tables that are all inside.
    """
    regions = sorted(table_regions(model.embedding.layout), key=lambda region: size(model, region), reverse=True)
    total, chosen = sum(size(model, region) for region in regions), []
    large = {"beside": 0, "auto": LARGE, "inside": math.inf}[options.placement]
    for region in regions if options.placement != "inside" else ():
        if size(model, region) >= large or total > LARGEST:
            chosen.append(region)
            total -= size(model, region)
    if total > LARGEST:
        first = regions[0]
        raise ValueError(
            f"tables: inside would put {total:,} bytes of tables into the graph, and a model file holds at most "
            f"{LARGEST:,}; the largest, of {first.feature}, has {size(model, first):,}. Choose auto or beside"
        )
    if options.rounds and not chosen:
        raise ValueError(
            f"table_precision: {options.precision} is for tables beside the graph, and tables: {options.placement} "
            f"keeps none there; choose tables: beside, or table_precision: {EXACT}"
        )
    return chosen


def size(model: RankingModel, region: TableRegion) -> int:
    """Bytes of a region's rows."""
    return region.rows * width(model, region) * VALUE


def width(model: RankingModel, region: TableRegion) -> int:
    """Entries of a row, of all embedding sets."""
    return region.dimension * model.embedding.sets


@contextmanager
def rounded(model: RankingModel, regions: Sequence[TableRegion], precision: str, folder: Path) -> Iterator[None]:
    """Give the rows of ``regions`` the values that are stored while the block runs; ``folder`` keeps the exact ones.

    Whatever is exported in the block is then of one model: graph, SavedModel, golden scores and the sample's.
    """
    if precision == EXACT:
        yield
        return
    stored_as = ROW_FORMATS[precision]()
    for region in regions:
        table, rows = RegionRows(model, region), folder / f"{region.feature}.npy"
        exact = np.lib.format.open_memmap(rows, mode="w+", dtype=np.float32, shape=(region.rows, width(model, region)))
        for start in range(0, region.rows, CHUNK):
            part = slice(start, min(start + CHUNK, region.rows))
            exact[part] = table[part]
            table[part] = stored_as.rounded(exact[part])
    try:
        yield
    finally:
        for region in regions:
            table, exact = RegionRows(model, region), np.load(folder / f"{region.feature}.npy", mmap_mode="r")
            for start in range(0, region.rows, CHUNK):
                part = slice(start, min(start + CHUNK, region.rows))
                table[part] = exact[part]


def write_tables(model: RankingModel, regions: Sequence[TableRegion], precision: str, path: Path) -> None:
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
    """The rows of a region of a model's tables, read and written in slices."""

    def __init__(self, model: RankingModel, region: TableRegion) -> None:
        self._table = model.embedding.tables[str(region.dimension)]
        self._offset = region.offset

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        return rows_of(self._table, self._offset + part.start, self._offset + part.stop)

    def __setitem__(self, part: slice, rows: NDArray[np.float32]) -> None:
        put_rows(self._table, self._offset + part.start, rows)
