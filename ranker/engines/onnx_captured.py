"""Runs of an ONNX Runtime session at fixed sizes, on arrays that stay on the device, replayed as CUDA graphs.

ONNX Runtime keeps a captured graph for the thread that captured it, and while one is captured no other thread may
allocate memory on the device. So everything that runs on the device runs in one thread of the process. Sessions are
made in the thread that loads them, one after the other, each before its runs are captured.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines.base import MOST_MERGED
from ranker.engines.row_tables import RowTables

T = TypeVar("T")

CONTEXT_ROWS = "context_rows"
"""Input of stacked graphs [candidates], int64: the row of the context that belongs to each candidate."""
SIZES = (128, 256, 512, 768, 1024, 1536, 2048, 4096, 8192, 16_384)
"""Numbers of candidates to capture; runs are padded to the next one, and larger ones are not captured."""
CONTEXTS = (1, MOST_MERGED)
"""Numbers of contexts to capture: of a lone request, and of merged ones."""
NOT_CAPTURED = "-1"
"""Graph id of runs of any size."""
TYPES: Mapping[str, type[np.generic]] = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
}
TOLERANCE = 1e-3
"""Largest difference of a replayed score from one computed without a captured graph."""


class Shape(NamedTuple):
    """Rows of a run."""

    contexts: int
    candidates: int


class UncapturedError(RuntimeError):
    """A session whose runs cannot be captured, or whose replayed scores are wrong; the message says why."""


class CapturedRuns:
    """Captures a session's runs for each of ``shapes``. Raises ``UncapturedError``.

    The session reads a row of ``context_*`` inputs for each context, and of all others for each candidate. On the CPU
    nothing is captured, and runs are padded and bound in the same way.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tables: RowTables,
        device: str,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        self.sizes = tuple(sorted(sizes))
        shapes = [Shape(contexts, size) for size in self.sizes for contexts in CONTEXTS]

        def captured() -> dict[Shape, _Run]:
            runs = {shape: _Run(session, tables, shape, n, device) for n, shape in enumerate(shapes, start=1)}
            for run in runs.values():
                run.check()
            return runs

        try:
            self._runs = on_device(captured)
        except UncapturedError:
            raise
        except Exception as error:  # the library's errors have no common base class
            raise UncapturedError(str(error)) from error

    def score(self, requests: Sequence[Packed]) -> NDArray[np.float32] | None:
        """Scores [N, T] of requests of one context each; ``None`` if they are more than the largest captured shape."""
        rows = sum(len(request.candidate_ids) for request in requests)
        contexts = next((count for count in CONTEXTS if count >= len(requests)), None)
        size = next((size for size in self.sizes if size >= rows), None)
        if contexts is None or size is None:
            return None
        run = self._runs[Shape(contexts, size)]
        return on_device(lambda: run(requests)[:rows])


class _Run:
    """The arrays of one shape, on the host and on the device."""

    def __init__(
        self, session: onnxruntime.InferenceSession, tables: RowTables, shape: Shape, number: int, device: str
    ) -> None:
        self._session, self._tables = session, tables
        self._host = {node.name: np.zeros(_shape(node, shape), TYPES[node.type]) for node in session.get_inputs()}
        self._on_device = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, device, 0) for name, array in self._host.items()
        }
        columns = session.get_outputs()[0].shape[1]
        self._scores = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            [shape.candidates, columns], np.float32, device, 0
        )
        self._binding = session.io_binding()
        for name, value in self._on_device.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output("scores", self._scores)
        self._captured, self._shape = run_options(str(number)), shape

    def __call__(self, requests: Sequence[Packed]) -> NDArray[np.float32]:
        """Scores of the requests, one after the other, and of the rows that fill the shape up."""
        start = 0
        for number, request in enumerate(requests):
            end = start + len(request.candidate_ids)
            self._write(request, number, slice(start, end))
            start = end
        return self._scored(self._captured)

    def check(self) -> None:
        """Capture, and compare replayed scores with those of a run that is not. Raises ``UncapturedError``."""
        random = np.random.default_rng(0)
        for name, array in self._host.items():
            if array.dtype == np.float32:
                array[...] = random.normal(size=array.shape)
            elif name == CONTEXT_ROWS:
                array[...] = random.integers(0, self._shape.contexts, array.shape)  # ids stay 0, which all tables have
        expected = self._scored(run_options(NOT_CAPTURED))
        self._scored(self._captured)
        found = self._scored(self._captured)
        self._host[CONTEXT_ROWS][...] = 0
        worst = np.abs(found - expected).max(initial=0.0)
        if not worst <= TOLERANCE * max(1.0, np.abs(expected).max(initial=0.0)):
            raise UncapturedError(f"replayed scores of {self._shape.candidates} candidates differ by {worst:.1e}")

    def _write(self, request: Packed, number: int, rows: slice) -> None:
        """Write one request to its rows of the host's arrays."""
        arrays = request._asdict()
        for name, host in self._host.items():
            if name == CONTEXT_ROWS:
                host[rows] = number
                continue
            part = host[number : number + 1] if name.startswith("context_") else host[rows]
            if name in self._tables:
                self._tables.write(name, arrays, part)
            else:
                part[...] = arrays[name]

    def _scored(self, options: onnxruntime.RunOptions) -> NDArray[np.float32]:
        for name, host in self._host.items():
            self._on_device[name].update_inplace(host)
        self._session.run_with_iobinding(self._binding, options)
        scores: NDArray[np.float32] = self._scores.numpy().copy()  # of an array on the CPU, numpy() is a view
        return scores


def on_device(call: Callable[[], T]) -> T:
    """Call in the process's thread for the device, and return the result."""
    return _thread().submit(call).result()


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")


def run_options(graph_id: str) -> onnxruntime.RunOptions:
    """Options of a run that captures or replays the graph of an id."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph_id)
    return options


def _shape(node: Any, shape: Shape) -> list[int]:
    rows = shape.contexts if node.name.startswith("context_") and node.name != CONTEXT_ROWS else shape.candidates
    return [rows, *node.shape[1:]]
