"""OpenVINO, on the CPU, compiled for the numbers of candidates that clients ask for."""

import logging
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from serving.logs import event
from serving.runtime.base import ENGINES, EngineError

ANY = -1
STEPS = 8
"""Compiled sizes between a power of two and the next: a request is padded by an eighth at most."""
SMALLEST = 64
KEPT = 8
"""Sizes that one engine compiles for; requests of any other run on the graph of any size."""


@ENGINES.register("openvino")
class OpenVino:
    """A graph for any number of candidates, and one for each of the first ``kept`` sizes that are asked for.

    A graph of one size runs faster than one of any size, by more than some padding costs. It is compiled in the
    background when a request of its size comes first. Raises ``EngineError`` where OpenVINO is not installed.
    """

    name = "openvino"

    def __init__(self, model: Path, device: str = "cpu", threads: int = 0, kept: int = KEPT) -> None:
        if device != "cpu":
            raise EngineError(f"engine 'openvino' runs on device 'cpu', got {device!r}; choose --engine onnxruntime")
        try:
            openvino: Any = import_module("openvino")
        except ImportError as error:
            raise EngineError(
                f"engine 'openvino' needs the package openvino ({error}); install ranker[serve], or choose "
                "--engine onnxruntime"
            ) from None
        self._core = _core(openvino)
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # On processors that have bfloat16, OpenVINO would calculate in it, and scores would differ by 1e-3.
            "INFERENCE_PRECISION_HINT": "f32",
            # Each process would pin its threads to the first cores, so that several workers share these alone.
            "ENABLE_CPU_PINNING": False,
            **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        }
        try:
            self._graph = self._core.read_model(str(model))
            self._any = self._compile(ANY)
        except Exception as error:  # the library's errors share no base class of their own
            raise EngineError(f"{model}: OpenVINO cannot load it: {error}") from error
        self._sized: dict[int, _Compiled] = {}
        self._kept, self._wanted, self._lock = kept, set[int](), threading.Lock()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="compile")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of candidates that have a graph of their own by now."""
        return tuple(sorted(self._sized))

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """One context row and N candidates to scores [N, T]."""
        rows = len(packed.candidate_ids)
        size = padded(rows)
        compiled = self._sized.get(size)
        if compiled is not None:
            return compiled.score(packed, rows, size)
        if size not in self._wanted:
            self._want(size)
        return self._any.score(packed, rows, rows)

    def _want(self, size: int) -> None:
        with self._lock:
            if size in self._wanted or len(self._wanted) >= self._kept:
                return
            self._wanted.add(size)
        self._background.submit(self._add, size)

    def _add(self, size: int) -> None:
        try:
            self._sized[size] = self._compile(size)
        except Exception:  # the graph of any size goes on scoring
            event(logging.WARNING, "graph not compiled", traceback=True, candidates=size)

    def _compile(self, size: int) -> "_Compiled":
        """One context row, and ``size`` candidates, -1 for any number."""
        shapes = {
            node.any_name: [1 if node.any_name.startswith("context") else size, node.partial_shape[1].get_length()]
            for node in self._graph.inputs
        }
        graph = self._graph.clone()
        graph.reshape(shapes)
        return _Compiled(self._core.compile_model(graph, "CPU", self._options))


@cache
def _core(openvino: Any) -> Any:
    """The library's core, never let go of: with it goes the stack that signals are handled on, and SIGTERM crashes."""
    return openvino.Core()


def padded(rows: int) -> int:
    """The size that a request of so many candidates is padded to."""
    step = max(1 << max((rows - 1).bit_length() - 1, 0), SMALLEST) // STEPS
    return -(-rows // step) * step


class _Compiled:
    """A compiled graph and its idle inference requests; one of these may work for one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._making = threading.Lock()

    def score(self, packed: Packed, rows: int, size: int) -> NDArray[np.float32]:
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            with self._making:
                request = _Request(self._compiled)
        try:
            return request.score(packed, rows, size)
        finally:
            self._idle.put(request)


class _Request:
    """An inference request with tensors of its own: copying into them costs less than binding the caller's arrays."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._tensors = {node.any_name: self._request.get_tensor(node) for node in compiled.inputs}
        self._views: dict[str, NDArray[Any]] = {}
        self._size = ANY

    def score(self, packed: Packed, rows: int, size: int) -> NDArray[np.float32]:
        """Rows behind the caller's are an earlier request's; each row is scored by itself, so they change nothing."""
        if size != self._size:
            self._resize(packed, size)
        for name, view in self._views.items():
            array = getattr(packed, name)
            view[: len(array)] = array
        self._request.infer(share_outputs=True)
        scores: NDArray[np.float32] = self._request.get_output_tensor(0).data[:rows].copy()  # the next one writes there
        return scores

    def _resize(self, packed: Packed, size: int) -> None:
        for name, tensor in self._tensors.items():
            array = getattr(packed, name)
            shape = [size if name.startswith("candidate") else 1, array.shape[1]]
            if list(tensor.shape) != shape:
                tensor.shape = shape
            self._views[name] = tensor.data
            self._views[name][:] = 0  # an id of rows that nobody wrote must be one that the table has
        self._size = size
