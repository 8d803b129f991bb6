"""ONNX Runtime, on the CPU or on CUDA."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines.base import ENGINES, FLOAT32, ON_CPU, EngineError, EngineOptions, require_precision

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
PRECISIONS: Mapping[str, Mapping[str, dict[str, str]]] = {
    "cpu": {FLOAT32: {}},
    "cuda": {FLOAT32: {"use_tf32": "0"}, "tf32": {"use_tf32": "1"}},
}
"""Options of each device's provider by precision. CUDA's default is TF32, which rounds factors to 10 bits."""

SPIN_US = "50"
"""Spinning time in microseconds: about the gap between two matrix products of one request."""


@ENGINES.register("onnxruntime")
class OnnxRuntime:
    """An ONNX Runtime session. Raises ``EngineError`` if the device's provider is not available.

    With ``one_context=False``, batches may have a context row per candidate, as in a log.
    """

    name = "onnxruntime"
    sizes: tuple[int, ...] = ()

    @staticmethod
    def precisions(device: str) -> tuple[str, ...]:
        """Float32, and TF32 on CUDA."""
        return tuple(PRECISIONS[device]) if PROVIDERS[device] in onnxruntime.get_available_providers() else ()

    def __init__(self, model: Path, options: EngineOptions = ON_CPU, *, one_context: bool = True) -> None:
        device = options.device
        provider = PROVIDERS[device]
        if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA libraries installed as Python packages
        available = onnxruntime.get_available_providers()
        if provider not in available:
            raise EngineError(
                f"device {device!r} needs ONNX Runtime's {provider}, and this one has {', '.join(available)}; "
                "install ranker[serve-cuda], or choose --device cpu"
            )
        require_precision(self.name, options, self.precisions(device))
        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = options.threads
        # Threads that spin between requests take cores from encoding and responses; threads that sleep between two
        # matrix products of one request wake up late.
        session.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
        if one_context:  # with a fixed shape, context products become biases of the candidates' matrix products
            session.add_free_dimension_override_by_name("contexts", 1)
        session.log_severity_level = 4  # errors are raised; its own log lines would not be JSON
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), session, providers=[(provider, PRECISIONS[device][options.precision])]
            )
        except Exception as error:  # the library's errors have no common base class
            raise EngineError(f"{model}: ONNX Runtime cannot load it: {error}") from error
        if provider not in self._session.get_providers():
            raise EngineError(f"device {device!r}: ONNX Runtime could not start {provider} on this machine")
        self._names = frozenset(node.name for node in self._session.get_inputs())
        self._device, self.precision = device, options.precision

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        return self.score_arrays(packed._asdict())

    def score_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Score arrays by input name; inputs that the graph does not read may be missing and are ignored."""
        feed = {name: array for name, array in arrays.items() if name in self._names}
        return self._direct(feed) if self._device == "cpu" else self._bound(feed)

    def _direct(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run on the caller's arrays without copying."""
        scores: NDArray[np.float32] = self._session.run(["scores"], feed)[0]
        return scores

    def _bound(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Copy each array to the device once, and the scores back; bindings are per call, so threads share none."""
        binding = self._session.io_binding()
        for name, array in feed.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, 0)
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("scores", self._device)
        self._session.run_with_iobinding(binding)
        scores: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return scores
