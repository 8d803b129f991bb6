"""Embedding rows beside a graph: files that all processes map, and the gathering of a request's rows from them.

::

    model.tables/         next to model.onnx
      tables.json         tables by feature, and the graph's inputs that take their rows
      item_id.npy         rows [V, D] of one feature, mapped and never loaded
      item_id.scale.npy   with int8 rows: the scale of each [V]

Pages of a mapped file are in the operating system's cache once, whichever processes and versions read them.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.artifact_files import TABLE_FACTS, TABLES
from ranker.engines.row_formats import ROW_FORMATS

CHUNK = 1 << 16
"""Rows written at a time."""


class RowInput(NamedTuple):
    """An input of the graph with rows [N, L * D]: those of columns ``start`` to ``start + length`` of ``ids``."""

    table: str
    ids: str
    start: int
    length: int


class TableFacts(NamedTuple):
    """Number of rows V and width D of a table, its precision, and its size in bytes."""

    rows: int
    width: int
    precision: str
    size: int


class Rows(Protocol):
    """Rows [V, D] to write, readable in slices."""

    def __getitem__(self, part: slice, /) -> Any:
        """Rows [N, D]: an array, or what NumPy converts to one."""


class RowTable:
    """The mapped rows of one feature."""

    def __init__(self, folder: Path, feature: str, facts: TableFacts) -> None:
        """Raise ``OSError`` for a missing file and ``ValueError`` for one of another shape or type."""
        self.facts = facts
        self._format = ROW_FORMATS[facts.precision]()
        self._arrays = {}
        for part, kind in self._format.kinds.items():
            file, shape = _file(folder, feature, part), _shape(facts.rows, facts.width, part)
            array = np.load(file, mmap_mode="r", allow_pickle=False)
            if array.shape != shape or array.dtype != np.dtype(kind):
                raise ValueError(f"{file}: must hold {kind} of shape {shape}, got {array.dtype.str} of {array.shape}")
            self._arrays[part] = array.view(np.ndarray)  # np.memmap's overhead would slow every look-up

    def take(self, ids: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Write the rows of ids [N, L] to ``out`` [N, L, D]."""
        self._format.take(self._arrays, ids, out)


class RowTables:
    """The tables beside a graph and the inputs made of their rows; empty if the graph holds all tables."""

    def __init__(self, tables: Mapping[str, RowTable], inputs: Mapping[str, RowInput]) -> None:
        self.tables, self._inputs = tables, inputs

    @classmethod
    def beside(cls, model: Path) -> "RowTables":
        """Map the tables of an ONNX file. Raises ``OSError`` and ``ValueError`` if they cannot be read."""
        folder = folder_of(model)
        if not (folder / TABLE_FACTS).is_file():
            return cls({}, {})
        tables, inputs = _read(folder)
        return cls({feature: RowTable(folder, feature, facts) for feature, facts in tables.items()}, inputs)

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs that take rows."""
        return frozenset(self._inputs)

    def __contains__(self, name: object) -> bool:
        return name in self._inputs

    def rows(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Gather the rows [N, L * D] of an input; ``arrays`` are the packed ones."""
        source = self._inputs[name]
        width = source.length * self.tables[source.table].facts.width
        out = np.empty((len(arrays[source.ids]), width), dtype=np.float32)
        self.write(name, arrays, out)
        return out

    def write(self, name: str, arrays: Mapping[str, NDArray[Any]], out: NDArray[np.float32]) -> None:
        """Gather the rows of an input into ``out`` [N, L * D], which is contiguous."""
        source = self._inputs[name]
        ids = arrays[source.ids][:, source.start : source.start + source.length]
        self.tables[source.table].take(ids, out.reshape(*ids.shape, -1))


def folder_of(model: Path) -> Path:
    """Folder of the tables beside an ONNX file."""
    return model.with_suffix(TABLES)


def facts_of(model: Path) -> dict[str, TableFacts]:
    """The tables beside an ONNX file by feature; empty if the graph holds all tables."""
    folder = folder_of(model)
    return _read(folder)[0] if (folder / TABLE_FACTS).is_file() else {}


def described(model: Path) -> dict[str, Any]:
    """The tables beside an ONNX file as JSON data: by feature, with their bytes in all.

    ``agreement`` says how scores by rounded rows agree with those by the trained ones; ``None`` if no row is rounded.
    """
    tables, file = facts_of(model), folder_of(model) / TABLE_FACTS
    return {
        "beside": {feature: facts._asdict() for feature, facts in tables.items()},
        "bytes": sum(facts.size for facts in tables.values()),
        "agreement": orjson.loads(file.read_bytes()).get("agreement") if tables else None,
    }


def write_rows(model: Path, feature: str, precision: str, rows: Rows, shape: tuple[int, int]) -> TableFacts:
    """Write rows [V, D] of this ``shape`` beside an ONNX file, in chunks, so that they may be larger than memory."""
    folder, stored_as, size = folder_of(model), ROW_FORMATS[precision](), 0
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        files = {}
        for part, kind in stored_as.kinds.items():
            files[part] = stack.enter_context(_file(folder, feature, part).open("wb"))
            header = {"descr": kind, "fortran_order": False, "shape": _shape(*shape, part)}
            np.lib.format.write_array_header_1_0(files[part], header)
        for start in range(0, shape[0], CHUNK):
            chunk = np.asarray(rows[start : min(start + CHUNK, shape[0])], dtype=np.float32)
            for part, array in stored_as.stored(chunk).items():
                files[part].write(np.ascontiguousarray(array).data)
                size += array.nbytes
    return TableFacts(*shape, precision, size)


def write_facts(model: Path, tables: Mapping[str, TableFacts], inputs: Mapping[str, RowInput]) -> None:
    """Write what :meth:`RowTables.beside` reads, after the tables."""
    facts = {
        "tables": {feature: table._asdict() for feature, table in tables.items()},
        "inputs": {name: source._asdict() for name, source in inputs.items()},
    }
    (folder_of(model) / TABLE_FACTS).write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def write_agreement(model: Path, agreement: Mapping[str, float]) -> None:
    """Add how scores by rounded rows agree with those by the trained ones."""
    file = folder_of(model) / TABLE_FACTS
    facts = {**orjson.loads(file.read_bytes()), "agreement": dict(agreement)}
    file.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def _read(folder: Path) -> tuple[dict[str, TableFacts], dict[str, RowInput]]:
    file = folder / TABLE_FACTS
    try:
        facts = orjson.loads(file.read_bytes())
        tables = {feature: TableFacts(**table) for feature, table in facts["tables"].items()}
        inputs = {name: RowInput(**source) for name, source in facts["inputs"].items()}
        missing = {source.table for source in inputs.values()} - tables.keys()
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        raise ValueError(f"{file}: cannot be read: {type(error).__name__}: {error}") from None
    if missing:
        raise ValueError(f"{file}: has inputs of tables that it does not list: {', '.join(sorted(missing))}")
    return tables, inputs


def _file(folder: Path, feature: str, part: str) -> Path:
    return folder / f"{feature}{part}.npy"


def _shape(rows: int, width: int, part: str) -> tuple[int, ...]:
    return (rows,) if part else (rows, width)
