"""Interface of engines."""

from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.encoding.table_regions import ROWS
from ranker.engines.row_tables import RowTables, folder_of
from ranker.registry import Registry, UnknownNameError, alternatives


class EngineError(RuntimeError):
    """An engine that cannot run on this machine; the message says what is missing."""


class EngineOptions(NamedTuple):
    """How an engine runs a graph."""

    device: str = "cpu"
    """``cpu`` or ``cuda``."""
    threads: int = 0
    """Threads per call; 0: one per core."""
    sizes: tuple[int, ...] = ()
    """Further numbers of candidates to specialise the graph for, by engines that do so."""


ON_CPU = EngineOptions()


class Engine(Protocol):
    """A loaded graph; ``score`` is thread-safe."""

    name: str
    """Name in :data:`ENGINES`."""
    sizes: tuple[int, ...]
    """Numbers of candidates with a specialised graph."""

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return a new array [N, T]."""


@runtime_checkable
class MergingEngine(Engine, Protocol):
    """An engine that scores several requests in one run, for less than it takes to score one after the other."""

    def score_many(self, requests: Sequence[Packed]) -> list[NDArray[np.float32]]:
        """Score requests of one context row each; return an array [N, T] for each of them, in their order."""


ENGINES: Registry[Callable[[Path, EngineOptions], Engine]] = Registry("engine")
"""Each takes an artifact's ONNX file and how to run it.

Raises ``EngineError`` if its package is not installed or it does not support the device.
"""
DEFAULTS = {"cpu": ("openvino", "onnxruntime"), "cuda": ("onnxruntime",)}
"""Preference order of ``auto`` by device; the first installed one is used. Order from `benchmarks/serving_peers.py`."""


def _ignore(engine: str, reason: str) -> None:
    """Ignore a skipped engine."""


def engine_of(
    name: str, model: Path, options: EngineOptions = ON_CPU, skipped: Callable[[str, str], None] = _ignore
) -> Engine:
    """Load a graph into a named engine. Raises ``EngineError``.

    ``auto`` takes the best installed engine for the device. If it cannot load the graph, ``skipped`` is called with the
    engine's name and the reason, and the next one is tried.
    """
    if options.device not in DEFAULTS:
        raise EngineError(f"device {options.device!r} is unknown{alternatives(options.device, DEFAULTS)}")
    if name == "auto":
        *better, name = DEFAULTS[options.device]
        for candidate in filter(find_spec, better):
            try:
                return ENGINES[candidate](model, options)
            except EngineError as error:
                skipped(candidate, str(error))
    try:
        make = ENGINES[name]
    except UnknownNameError as error:
        raise EngineError(f"{error}; auto is the best one for the device") from None
    return make(model, options)


def row_tables(model: Path, inputs: Collection[str]) -> RowTables:
    """Map the tables beside a graph with these ``inputs``. Raises ``EngineError`` if they do not fit together."""
    try:
        tables = RowTables.beside(model)
    except (OSError, ValueError) as error:
        raise EngineError(f"{model}: the tables beside it cannot be read: {error}") from None
    missing = sorted(name for name in inputs if ROWS in name and name not in tables)
    if missing or (unread := sorted(tables.inputs - set(inputs))):
        problem = (
            f"takes {', '.join(missing)}, which are not there" if missing else f"does not take {', '.join(unread)}"
        )
        raise EngineError(f"{model}: does not fit the tables in {folder_of(model)}: it {problem}")
    return tables
