"""What every engine is."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.registry import Registry, UnknownNameError


class EngineError(RuntimeError):
    """An engine that cannot run here; its text says what is missing."""


class Engine(Protocol):
    """A loaded graph; ``score`` may be called from several threads at once."""

    name: str
    """Its own in :data:`ENGINES`."""
    sizes: tuple[int, ...]
    """Numbers of candidates that have a graph of their own."""

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T], an array of the caller's own."""


ENGINES: Registry[Callable[[Path, str, int], Engine]] = Registry("engine")
"""Each takes an artifact's ONNX file, the device (``cpu`` or ``cuda``) and the number of threads (0 for one a core).

Raises ``EngineError`` where its package is not installed, or where it does not run on the device.
"""
DEFAULTS = {"cpu": ("openvino", "onnxruntime"), "cuda": ("onnxruntime",)}
"""What ``auto`` stands for, by device: the first that is installed. `benchmarks/serving_peers.py` found the order."""


def _ignore(engine: str, reason: str) -> None:
    """Report nothing."""


def engine_of(
    name: str, model: Path, device: str = "cpu", threads: int = 0, skipped: Callable[[str, str], None] = _ignore
) -> Engine:
    """Load a graph into the engine of a name. Raises ``EngineError``.

    ``auto`` is the device's best that is installed, or the next one where that cannot load the graph: ``skipped`` is
    then called with the engine's name and the reason.
    """
    if name == "auto":
        *better, name = DEFAULTS[device]
        for found in filter(find_spec, better):
            try:
                return ENGINES[found](model, device, threads)
            except EngineError as error:
                skipped(found, str(error))
    try:
        make = ENGINES[name]
    except UnknownNameError as error:
        raise EngineError(f"{error}; auto is the best one for the device") from None
    return make(model, device, threads)
