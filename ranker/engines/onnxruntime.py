"""ONNX Runtime, on the CPU or on CUDA."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines.base import ENGINES, EngineError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

SPIN_US = "50"
"""Microseconds: about the time between two products of one request."""


@ENGINES.register("onnxruntime")
class OnnxRuntime:
    """One session. Raises ``EngineError`` where the device's provider cannot be had.

    With ``one_context`` false, batches may have a context row for each candidate, as a log has them.
    """

    name = "onnxruntime"
    sizes: tuple[int, ...] = ()

    def __init__(self, model: Path, device: str = "cpu", threads: int = 0, *, one_context: bool = True) -> None:
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
        # Threads that spin between requests take the cores from what encodes and answers them; those that sleep
        # between two products of one request are woken late.
        options.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
        if one_context:  # known beforehand, its sums become biases of the candidates' matrix products
            options.add_free_dimension_override_by_name("contexts", 1)
        options.log_severity_level = 4  # its errors are raised; lines of its own would not be JSON
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=[provider])
        except Exception as error:  # the library's errors share no base class of their own
            raise EngineError(f"{model}: ONNX Runtime cannot load it: {error}") from error
        if provider not in self._session.get_providers():
            raise EngineError(f"device {device!r}: ONNX Runtime could not start {provider} on this machine")
        self._names = frozenset(node.name for node in self._session.get_inputs())
        self._device = device

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T]."""
        return self.score_arrays(packed._asdict())

    def score_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The same of arrays by input; those that the graph does not read may be left out, or given in vain."""
        feed = {name: array for name, array in arrays.items() if name in self._names}
        return self._direct(feed) if self._device == "cpu" else self._bound(feed)

    def _direct(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Read the caller's arrays where they lie."""
        scores: NDArray[np.float32] = self._session.run(["scores"], feed)[0]
        return scores

    def _bound(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Copy each array to the device once, and the scores back; bindings are a call's own, so threads share none."""
        binding = self._session.io_binding()
        for name, array in feed.items():
            value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, 0)
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("scores", self._device)
        self._session.run_with_iobinding(binding)
        scores: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return scores
