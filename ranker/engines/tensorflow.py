"""TensorFlow on the exported SavedModel: the reference for other engines."""

import contextlib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import SAVED_MODEL
from ranker.encoding import Packed
from ranker.engines.base import ENGINES, FLOAT32, ON_CPU, EngineError, EngineOptions, require_precision


@ENGINES.register("tensorflow")
class TensorFlow:
    """The SavedModel next to the ONNX file. Raises ``EngineError`` if TensorFlow is not installed.

    Threads are per process: TensorFlow uses the number set by the first engine of the process.
    """

    name = "tensorflow"
    sizes: tuple[int, ...] = ()
    precision = FLOAT32

    @staticmethod
    def precisions(device: str) -> tuple[str, ...]:  # noqa: ARG004 - the same on every device
        """Float32 alone: the reference for others."""
        return (FLOAT32,) if find_spec("tensorflow") else ()

    def __init__(self, model: Path, options: EngineOptions = ON_CPU) -> None:
        try:
            tensorflow: Any = import_module("tensorflow")
        except ImportError as error:
            raise EngineError(
                f"engine 'tensorflow' needs the package tensorflow ({error}); install ranker[serve,train], or choose "
                "--engine onnxruntime"
            ) from None
        require_precision(self.name, options, (FLOAT32,))
        with contextlib.suppress(RuntimeError):  # TensorFlow already runs, so the number of threads is fixed
            tensorflow.config.threading.set_intra_op_parallelism_threads(options.threads)
        place = {"cpu": "/CPU:0", "cuda": "/GPU:0"}[options.device]
        if options.device == "cuda" and not tensorflow.config.list_physical_devices("GPU"):
            raise EngineError("device 'cuda': TensorFlow finds no GPU on this machine; choose --device cpu")
        folder = model.parent / SAVED_MODEL
        try:
            with tensorflow.device(place):
                self._loaded = tensorflow.saved_model.load(str(folder))  # keeps the function alive
        except (OSError, ValueError) as error:
            raise EngineError(f"{folder}: TensorFlow cannot load it: {error}") from error
        self._function: Any = self._loaded.signatures["serving_default"]
        self._names = frozenset(self._function.structured_input_signature[1])
        self._tensorflow, self._place = tensorflow, place

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        constant = self._tensorflow.constant
        with self._tensorflow.device(self._place):
            feed = {name: constant(array) for name, array in packed._asdict().items() if name in self._names}
            scores: NDArray[np.float32] = self._function(**feed)["scores"].numpy()
        return scores
