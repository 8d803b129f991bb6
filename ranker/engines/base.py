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


FLOAT32 = "float32"
PRECISIONS = (FLOAT32, "tf32", "bfloat16", "float16")
"""Precisions of an engine's arithmetic, by name; inputs and scores are 32-bit floats in each."""


class EngineOptions(NamedTuple):
    """How an engine runs a graph."""

    device: str = "cpu"
    """``cpu`` or ``cuda``."""
    threads: int = 0
    """Threads per call; 0: one per core."""
    precision: str = FLOAT32
    """One of :data:`PRECISIONS`."""
    sizes: tuple[int, ...] = ()
    """Further numbers of candidates to specialise the graph for, by engines that do so."""
    streams: int = 1
    """Calls that run at the same time, for throughput; the threads are divided among them."""
    context_rows: bool = False
    """Whether batches have a context row per candidate, as in a log, instead of one in all."""


ON_CPU = EngineOptions()
MOST_MERGED = 64
"""Most requests of one run of an engine that merges them."""


class Engine(Protocol):
    """A loaded graph; ``score`` is thread-safe."""

    name: str
    """Name in :data:`ENGINES`."""
    sizes: tuple[int, ...]
    """Numbers of candidates with a specialised graph."""
    precision: str
    """Precision that it computes in."""

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score N candidates and one context row, or N with ``context_rows``; return a new array [N, T]."""


@runtime_checkable
class MergingEngine(Engine, Protocol):
    """An engine that scores several requests in one run, for less than it takes to score one after the other."""

    def score_many(self, requests: Sequence[Packed]) -> list[NDArray[np.float32]]:
        """Score requests of one context row each; return an array [N, T] for each of them, in their order."""


class EngineKind(Protocol):
    """An engine's class."""

    def __call__(self, model: Path, options: EngineOptions) -> Engine:
        """Load an artifact's ONNX file.

        Raises ``EngineError`` if its package is not installed or it does not support the device or the precision.
        """

    def precisions(self, device: str) -> tuple[str, ...]:
        """Precisions that it has on a device of this machine; empty if it is not installed or lacks the device."""


ENGINES: Registry[EngineKind] = Registry("engine")
DEFAULTS = {"cpu": ("openvino", "onnxruntime"), "cuda": ("onnxruntime",)}
"""Preference order of ``auto`` by device; the first installed one is used. Order from `benchmarks/serving_peers.py`."""


def _ignore(engine: str, reason: str) -> None:
    """Ignore a skipped engine."""


def engine_of(
    name: str, model: Path, options: EngineOptions = ON_CPU, skipped: Callable[[str, str], None] = _ignore
) -> Engine:
    """Load a graph into a named engine. Raises ``EngineError``.

    ``auto`` takes the best installed engine for the device. If it cannot load the graph, ``skipped`` is called with the
    engine's name and the reason, and the next one is tried. Engines that lack the precision are passed over.
    """
    candidates = candidates_of(name, options.device)
    if options.precision not in PRECISIONS:
        raise EngineError(f"precision {options.precision!r} is unknown{alternatives(options.precision, PRECISIONS)}")
    if name == "auto":
        if options.precision != FLOAT32:
            candidates = _with_precision(candidates, options)
        *better, name = candidates
        for candidate in filter(find_spec, better):
            try:
                return ENGINES[candidate](model, options)
            except EngineError as error:
                skipped(candidate, str(error))
    return ENGINES[name](model, options)


def candidates_of(name: str, device: str) -> tuple[str, ...]:
    """Engines that a name stands for on a device, best first: itself, or for ``auto`` some. Raises ``EngineError``."""
    if device not in DEFAULTS:
        raise EngineError(f"device {device!r} is unknown{alternatives(device, DEFAULTS)}")
    if name == "auto":
        return DEFAULTS[device]
    try:
        ENGINES[name]
    except UnknownNameError as error:
        raise EngineError(f"{error}; auto is the best one for the device") from None
    return (name,)


def require_precision(engine: str, options: EngineOptions, possible: tuple[str, ...]) -> None:
    """Raise ``EngineError`` if the precision is not one of the ``possible`` ones."""
    if options.precision not in possible:
        raise EngineError(
            f"precision {options.precision!r}: engine {engine!r} on device {options.device!r} of this machine "
            f"computes in {', '.join(possible)}; choose one of these, or auto"
        )


def _with_precision(candidates: tuple[str, ...], options: EngineOptions) -> tuple[str, ...]:
    """The engines that have a precision, or all if none has the device. Raises ``EngineError`` if there is none."""
    possible = {name: ENGINES[name].precisions(options.device) for name in filter(find_spec, candidates)}
    if not any(possible.values()):
        return candidates  # loading one says what is missing
    found = tuple(name for name, precisions in possible.items() if options.precision in precisions)
    if not found:
        each = "; ".join(f"{name}: {', '.join(precisions) or 'none'}" for name, precisions in possible.items())
        raise EngineError(
            f"precision {options.precision!r}: no engine has it on device {options.device!r} of this machine "
            f"({each}); choose one of these, or auto"
        )
    return found


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
