"""What every engine is."""

from collections.abc import Callable
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

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T], an array of the caller's own."""


ENGINES: Registry[Callable[[Path, str, int], Engine]] = Registry("engine")
"""Each takes an artifact's ONNX file, the device (``cpu`` or ``cuda``) and the number of threads (0 for one a core).

Raises ``EngineError`` where its package is not installed, or where it does not run on the device.
"""
DEFAULTS = {"cpu": "onnxruntime", "cuda": "onnxruntime"}
"""The engine that ``auto`` stands for, by device: the one that `benchmarks/serving_peers.py` shows to be best."""


def engine_of(name: str, model: Path, device: str = "cpu", threads: int = 0) -> Engine:
    """Load a graph into the engine of a name, or the device's default for ``auto``. Raises ``EngineError``."""
    try:
        make = ENGINES[DEFAULTS[device] if name == "auto" else name]
    except UnknownNameError as error:
        raise EngineError(f"{error}; auto is the best one for the device") from None
    return make(model, device, threads)
