"""OpenVINO on the CPU, compiled for some fixed numbers of candidates."""

import bisect
import queue
import threading
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines.base import ENGINES, FLOAT32, ON_CPU, EngineError, EngineOptions, require_precision, row_tables
from ranker.engines.openvino_graph import rewrite
from ranker.engines.row_tables import RowTables

SIZES = (100, 200, 300, 400, 500, 1000, 2000)
"""Numbers of candidates with a compiled graph; requests mostly have round numbers."""
PADDING = 1 / 5
"""Maximum padding as a fraction of a request's rows; beyond it the dynamic graph is faster."""
HINT = "INFERENCE_PRECISION_HINT"
HINTS = {FLOAT32: "f32", "bfloat16": "bf16", "float16": "f16"}
"""OpenVINO's names of precisions."""
ANY = -1
OPERATIONS = "openvino.opset13"


@ENGINES.register("openvino")
class OpenVino:
    """One compiled graph per size, and a dynamic one. Raises ``EngineError`` if OpenVINO is not installed.

    A graph of fixed shape is faster than a dynamic one by more than some padding costs. The choice depends only on the
    number of candidates, so that a request always gets bitwise equal scores.
    """

    name = "openvino"

    @staticmethod
    def precisions(device: str) -> tuple[str, ...]:
        """Float32, and the 16-bit types for which the processor has instructions.

        OpenVINO itself takes every name and then runs in 32 bits, or emulates bfloat16, which is slower.
        """
        try:
            core = _core(import_module("openvino"))
        except ImportError:
            return ()
        return _precisions(core) if device == "cpu" else ()

    def __init__(self, model: Path, options: EngineOptions = ON_CPU, *, sizes: tuple[int, ...] = SIZES) -> None:
        if options.device != "cpu":
            raise EngineError(
                f"engine 'openvino' runs on device 'cpu', got {options.device!r}; choose --engine onnxruntime"
            )
        try:
            openvino: Any = import_module("openvino")
        except ImportError as error:
            raise EngineError(
                f"engine 'openvino' needs the package openvino ({error}); install ranker[serve], or choose "
                "--engine onnxruntime"
            ) from None
        self._core = _core(openvino)
        require_precision(self.name, options, _precisions(self._core))
        self.precision = options.precision
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": options.streams,
            # By default, OpenVINO computes in bfloat16 on processors that have it, and scores differ by 1e-3.
            HINT: HINTS[options.precision],
            # Each process would pin its threads to the first cores, so that all workers would share them.
            "ENABLE_CPU_PINNING": False,
            **({"INFERENCE_NUM_THREADS": options.threads} if options.threads else {}),
        }
        try:
            self._graph = self._core.read_model(str(model))
            self._rows = row_tables(model, [node.any_name for node in self._graph.inputs])
            rewrite(self._graph, import_module(OPERATIONS))
            self._one_context = not options.context_rows
            self.sizes = tuple(sorted({*sizes, *options.sizes})) if self._one_context else options.sizes
            self._compiled = {size: self._compile(size) for size in (*self.sizes, ANY)}
        except EngineError:
            raise
        except Exception as error:  # the library's errors have no common base class
            raise EngineError(f"{model}: OpenVINO cannot load it: {error}") from error

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        rows = len(packed.candidate_ids)
        place = bisect.bisect_left(self.sizes, rows)
        size = self.sizes[place] if place < len(self.sizes) else ANY
        if size == ANY or size > rows * (1 + PADDING):
            return self._compiled[ANY].score(packed, rows, rows)
        return self._compiled[size].score(packed, rows, size)

    def _compile(self, size: int) -> "_Compiled":
        """Compile for one context row and ``size`` candidates; -1 for any number."""
        shapes = {
            node.any_name: [
                1 if self._one_context and node.any_name.startswith("context") else size,
                node.partial_shape[1].get_length(),
            ]
            for node in self._graph.inputs
        }
        graph = self._graph.clone()
        graph.reshape(shapes)
        compiled = self._core.compile_model(graph, "CPU", self._options)
        used, asked = compiled.get_property(HINT).get_type_name(), self._options[HINT]
        if used != asked:
            raise ValueError(f"it would compute in {used} where {asked} is asked for")
        return _Compiled(compiled, self._rows, self._one_context)


def _precisions(core: Any) -> tuple[str, ...]:
    """Precisions that the processor has.

    OpenVINO lists BF16 on every processor with AVX-512. Where there are instructions for it, it is the default, or
    there are instructions for FP16 as well.
    """
    listed = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    native = "FP16" in listed or core.get_property("CPU", HINT).get_type_name() == "bf16"
    half = (("BF16", "bfloat16", native), ("FP16", "float16", True))
    return (FLOAT32, *(name for listed_as, name, runs in half if listed_as in listed and runs))


@cache
def _core(openvino: Any) -> Any:
    """The library's core; never released, since that frees the signal handler stack and SIGTERM would crash."""
    return openvino.Core()


class _Compiled:
    """A compiled graph and its pool of idle inference requests; each serves one thread at a time."""

    def __init__(self, compiled: Any, rows: RowTables, one_context: bool) -> None:
        self._compiled, self._rows, self._one_context = compiled, rows, one_context
        self._idle: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._making = threading.Lock()

    def score(self, packed: Packed, rows: int, size: int) -> NDArray[np.float32]:
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            with self._making:
                request = _Request(self._compiled, self._rows, self._one_context)
        try:
            return request.score(packed, rows, size)
        finally:
            self._idle.put(request)


class _Request:
    """An inference request with its own tensors: copying into them is cheaper than binding the caller's arrays."""

    def __init__(self, compiled: Any, rows: RowTables, one_context: bool) -> None:
        self._request, self._rows, self._one_context = compiled.create_infer_request(), rows, one_context
        self._tensors = {node.any_name: self._request.get_tensor(node) for node in compiled.inputs}
        self._widths = {node.any_name: node.partial_shape[1].get_length() for node in compiled.inputs}
        self._views: dict[str, NDArray[Any]] = {}
        self._size = ANY

    def score(self, packed: Packed, rows: int, size: int) -> NDArray[np.float32]:
        """Score in place; padding rows hold old values, which is harmless since rows are independent."""
        if size != self._size:
            self._resize(size)
        arrays = packed._asdict()
        for name, view in self._views.items():
            if name in self._rows:
                self._rows.write(name, arrays, view[: min(rows, len(view))])
            else:
                array = arrays[name]
                view[: len(array)] = array
        self._request.infer(share_outputs=True)
        scores: NDArray[np.float32] = (
            self._request.get_output_tensor(0).data[:rows].copy()
        )  # the next call overwrites it
        return scores

    def _resize(self, size: int) -> None:
        self._size = ANY  # in case resizing fails
        for name, tensor in self._tensors.items():
            shape = [1 if self._one_context and name.startswith("context") else size, self._widths[name]]
            if list(tensor.shape) != shape:
                tensor.shape = shape
            self._views[name] = tensor.data
            self._views[name][:] = 0  # padding rows need ids that are within the table
        self._size = size
