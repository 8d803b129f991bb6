"""Interface of engines."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.registry import Registry, UnknownNameError


class EngineError(RuntimeError):
    """An engine that cannot run on this machine; the message says what is missing."""


class Engine(Protocol):
    """A loaded graph; ``score`` is thread-safe."""

    name: str
    """Name in :data:`ENGINES`."""
    sizes: tuple[int, ...]
    """Numbers of candidates with a specialised graph."""

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return a new array [N, T]."""


ENGINES: Registry[Callable[[Path, str, int], Engine]] = Registry("engine")
"""Each takes an artifact's ONNX file, the device (``cpu`` or ``cuda``) and the number of threads (0: one per core).

Raises ``EngineError`` if its package is not installed or it does not support the device.
"""
DEFAULTS = {"cpu": ("openvino", "onnxruntime"), "cuda": ("onnxruntime",)}
"""Preference order of ``auto`` by device; the first installed one is used. Order from `benchmarks/serving_peers.py`."""


def _ignore(engine: str, reason: str) -> None:
    """Ignore a skipped engine."""


def engine_of(
    name: str, model: Path, device: str = "cpu", threads: int = 0, skipped: Callable[[str, str], None] = _ignore
) -> Engine:
    """Load a graph into a named engine. Raises ``EngineError``.

    ``auto`` takes the best installed engine for the device. If it cannot load the graph, ``skipped`` is called with the
    engine's name and the reason, and the next one is tried.
    """
    if name == "auto":
        *better, name = DEFAULTS[device]
        for candidate in filter(find_spec, better):
            try:
                return ENGINES[candidate](model, device, threads)
            except EngineError as error:
                skipped(candidate, str(error))
    try:
        make = ENGINES[name]
    except UnknownNameError as error:
        raise EngineError(f"{error}; auto is the best one for the device") from None
    return make(model, device, threads)
