"""OpenVINO, on the CPU, compiled for a few numbers of candidates."""

import bisect
import queue
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from serving.runtime.base import ENGINES, EngineError

SIZES = (100, 200, 500, 1000, 2000)
"""Numbers of candidates that are compiled for: those that clients ask for are mostly round."""
PADDING = 1 / 8
"""A request is padded by up to this share of its own rows; where more is needed, the graph of any size is faster."""
ANY = -1


@ENGINES.register("openvino")
class OpenVino:
    """One compiled graph a size, and one for any size. Raises ``EngineError`` where OpenVINO is not installed.

    A graph of a fixed shape runs faster than one of any shape, by more than some padding costs. Requests of one size
    that run at the same time each take an inference request of their own, kept for the next.
    """

    def __init__(self, model: Path, device: str = "cpu", threads: int = 0, sizes: tuple[int, ...] = SIZES) -> None:
        if device != "cpu":
            raise EngineError(f"engine 'openvino' runs on device 'cpu', got {device!r}; choose --engine onnxruntime")
        try:
            openvino: Any = import_module("openvino")
        except ImportError as error:
            raise EngineError(
                f"engine 'openvino' needs the package openvino ({error}); install ranker[serve,openvino], or choose "
                "--engine onnxruntime"
            ) from None
        self._core = openvino.Core()
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # On processors that have bfloat16, OpenVINO would calculate in it, and scores would differ by 1e-3.
            "INFERENCE_PRECISION_HINT": "f32",
            **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        }
        try:
            self._graph = self._core.read_model(str(model))
            self._names = frozenset(node.any_name for node in self._graph.inputs)
            self._sizes = tuple(sorted(sizes))
            self._compiled = {size: self._compile(size) for size in (*self._sizes, ANY)}
        except Exception as error:  # the library's errors share no base class of their own
            raise EngineError(f"{model}: OpenVINO cannot load it: {error}") from error

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T]."""
        rows = len(packed.candidate_ids)
        place = bisect.bisect_left(self._sizes, rows)
        size = self._sizes[place] if place < len(self._sizes) else ANY
        if size > rows * (1 + PADDING):
            size = ANY
        feed = {
            name: _padded(array, size) if name.startswith("candidate") else array
            for name, array in packed._asdict().items()
            if name in self._names
        }
        return self._compiled[size].infer(feed, rows)

    def _compile(self, size: int) -> "_Compiled":
        """One context row, and ``size`` candidates, -1 for any number."""
        shapes = {
            node.any_name: [1 if node.any_name.startswith("context") else size, node.partial_shape[1].get_length()]
            for node in self._graph.inputs
        }
        graph = self._graph.clone()
        graph.reshape(shapes)
        return _Compiled(self._core.compile_model(graph, "CPU", self._options))


class _Compiled:
    """A compiled graph and its idle inference requests; one of these may work for one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._making = threading.Lock()

    def infer(self, feed: dict[str, NDArray[Any]], rows: int) -> NDArray[np.float32]:
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            with self._making:
                request = self._compiled.create_infer_request()
        try:
            request.infer(feed, share_inputs=True, share_outputs=True)
            scores: NDArray[np.float32] = request.output_tensors[0].data[:rows].copy()  # the next request writes there
            return scores
        finally:
            self._idle.put(request)


def _padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Rows of zeros behind the array's own, up to ``size``; every row is scored by itself, so they change nothing."""
    if len(array) >= size:
        return array
    padded = np.zeros((size, array.shape[1]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded
