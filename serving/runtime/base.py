"""What every engine is."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.registry import Registry


class EngineError(RuntimeError):
    """An engine that cannot run here; its text says what is missing."""


class Engine(Protocol):
    """A loaded graph; ``score`` may be called from several threads at once."""

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T]."""


ENGINES: Registry[Callable[[Path, str, int], Engine]] = Registry("engine")
"""Each takes the ONNX file, the device (``cpu`` or ``cuda``) and the number of threads (0 for one a core)."""
