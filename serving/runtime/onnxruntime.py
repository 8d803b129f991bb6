"""ONNX Runtime, on the CPU or on CUDA."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ranker.encoding import Packed
from serving.runtime.base import ENGINES, EngineError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@ENGINES.register("onnxruntime")
class OnnxRuntime:
    """One session. Raises ``EngineError`` where the device's provider cannot be had."""

    def __init__(self, model: Path, device: str = "cpu", threads: int = 0) -> None:
        provider = PROVIDERS[device]
        if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA's libraries, where they came as Python packages
        available = onnxruntime.get_available_providers()
        if provider not in available:
            raise EngineError(
                f"device {device!r} needs ONNX Runtime's {provider}, and this one has {', '.join(available)}; "
                "install ranker[serve-cuda], or choose --device cpu"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin between requests take the cores from what encodes and answers them: with spinning, 500
        # candidates took 7.5 ms instead of 3.0 on two cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # its errors are raised; lines of its own would not be JSON
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=[provider])
        except Exception as error:  # the library's errors share no base class of their own
            raise EngineError(f"{model}: ONNX Runtime cannot load it: {error}") from error
        if provider not in self._session.get_providers():
            raise EngineError(f"device {device!r}: ONNX Runtime could not start {provider} on this machine")
        self._names = frozenset(node.name for node in self._session.get_inputs())

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T]."""
        feed = {name: array for name, array in packed._asdict().items() if name in self._names}
        scores: NDArray[np.float32] = self._session.run(["scores"], feed)[0]
        return scores
