"""ONNX Runtime, on the CPU or on CUDA."""

import logging
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ranker.encoding import Packed
from ranker.engines.base import ENGINES, FLOAT32, ON_CPU, EngineError, EngineOptions, require_precision, row_tables
from ranker.engines.onnx_captured import (
    CONTEXT_ROWS,
    NOT_CAPTURED,
    SIZES,
    CapturedRuns,
    UncapturedError,
    on_device,
    run_options,
)

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
PRECISIONS: Mapping[str, Mapping[str, dict[str, str]]] = {
    "cpu": {FLOAT32: {}},
    "cuda": {FLOAT32: {"use_tf32": "0"}, "tf32": {"use_tf32": "1"}},
}
"""Options of each device's provider by precision. CUDA's default is TF32, which rounds factors to 10 bits."""

LOGGER = logging.getLogger("ranker.engines")

SPIN_US = "50"
"""Spinning time in microseconds: about the gap between two matrix products of one request."""


class OnnxRuntime:
    """An ONNX Runtime session. Raises ``EngineError`` if the device's provider is not available.

    With ``one_context=False``, batches may have a context row per candidate, as in a log. ``graph`` runs instead of the
    graph in the file ``model``, and ``provider_options`` are further ones of the device's provider.
    """

    name = "onnxruntime"
    sizes: tuple[int, ...] = ()

    @staticmethod
    def precisions(device: str) -> tuple[str, ...]:
        """Float32, and TF32 on CUDA."""
        return tuple(PRECISIONS[device]) if PROVIDERS[device] in onnxruntime.get_available_providers() else ()

    def __init__(
        self,
        model: Path,
        options: EngineOptions = ON_CPU,
        *,
        one_context: bool = True,
        graph: bytes | None = None,
        provider_options: Mapping[str, str] | None = None,
    ) -> None:
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
        session.intra_op_num_threads = max(options.threads // options.streams, 1) if options.threads else 0
        # Threads that spin between requests take cores from encoding and responses; threads that sleep between two
        # matrix products of one request wake up late.
        session.add_session_config_entry("session.intra_op.spin_duration_us", SPIN_US)
        if one_context:  # with a fixed shape, context products become biases of the candidates' matrix products
            session.add_free_dimension_override_by_name("contexts", 1)
        session.log_severity_level = 4  # errors are raised; its own log lines would not be JSON
        given = {**PRECISIONS[device][options.precision], **(provider_options or {})}
        try:
            self._session = onnxruntime.InferenceSession(graph or str(model), session, providers=[(provider, given)])
        except Exception as error:  # the library's errors have no common base class
            raise EngineError(f"{model}: ONNX Runtime cannot load it: {error}") from error
        if provider not in self._session.get_providers():
            raise EngineError(f"device {device!r}: ONNX Runtime could not start {provider} on this machine")
        self._names = frozenset(node.name for node in self._session.get_inputs())
        self._rows = row_tables(model, self._names)
        self._device, self.precision = device, options.precision

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        return self.score_arrays(packed._asdict())

    def score_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Score packed arrays by name; those that the graph does not read may be missing and are ignored."""
        feed = {name: array for name, array in arrays.items() if name in self._names}
        feed.update((name, self._rows.rows(name, arrays)) for name in self._rows.inputs)
        return self._direct(feed) if self._device == "cpu" else on_device(lambda: self._bound(feed))

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
        self._session.run_with_iobinding(binding, run_options(NOT_CAPTURED))
        scores: NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return scores


class MergingOnnxRuntime(OnnxRuntime):
    """A session of the stacked graph that scores several requests in one run. Raises ``EngineError``.

    Experts, gates and towers run as batched operations, and each request's context is computed once. Scores differ from
    those of the exported graph by rounding only. On a GPU, runs of up to the largest of ``sizes`` are padded to one of
    them and replayed as a CUDA graph; ``fixed`` pads them on a CPU, too. ``uncaptured`` says why none are.
    """

    def __init__(
        self, model: Path, options: EngineOptions, *, fixed: bool | None = None, sizes: Sequence[int] = SIZES
    ) -> None:
        graph, cuda = _stacked(model), options.device != "cpu"
        self.uncaptured = "" if fixed or cuda else "on a CPU"
        self._captured: CapturedRuns | None = None
        if fixed or cuda:
            try:
                capture = {"enable_cuda_graph": "1"} if cuda else {}
                super().__init__(model, options, one_context=False, graph=graph, provider_options=capture)
                self._captured = CapturedRuns(self._session, self._rows, options.device, sizes)
            except (EngineError, UncapturedError) as error:
                self.uncaptured = str(error)
                LOGGER.warning("runs are not captured: %s", error)
        if self._captured is None:
            super().__init__(model, options, one_context=False, graph=graph)
        else:
            self.sizes = self._captured.sizes

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score one context row and N candidates; return [N, T]."""
        return self.score_many([packed])[0]

    def score_many(self, requests: Sequence[Packed]) -> list[NDArray[np.float32]]:
        """Score requests of one context row each; return an array [N, T] for each of them, in their order."""
        counts = [len(request.candidate_ids) for request in requests]
        captured = self._captured.score(requests) if self._captured is not None else None
        if captured is not None:
            return np.split(captured, np.cumsum(counts)[:-1])
        arrays = {
            name: np.concatenate(parts) for name, parts in zip(Packed._fields, zip(*requests, strict=True), strict=True)
        }
        rows = np.repeat(np.arange(len(requests)), counts)
        scores = self.score_arrays({**arrays, CONTEXT_ROWS: rows})
        return np.split(scores, np.cumsum(counts)[:-1])


class _OnnxRuntimes:
    """The exported graph on the CPU, where batched operations gain nothing; the stacked one on a GPU."""

    precisions = staticmethod(OnnxRuntime.precisions)

    def __call__(self, model: Path, options: EngineOptions) -> OnnxRuntime:
        if options.device == "cpu" or options.context_rows:
            return OnnxRuntime(model, options, one_context=not options.context_rows)
        return MergingOnnxRuntime(model, options)


ENGINES.register("onnxruntime")(_OnnxRuntimes())


def _stacked(model: Path) -> bytes:
    try:
        onnx: Any = import_module("onnx")
        stacking: Any = import_module("ranker.engines.onnx_stacking")
        context_rows: Any = import_module("ranker.engines.onnx_context_rows")
    except ImportError as error:
        raise EngineError(f"device 'cuda' needs the package onnx ({error}); install ranker[serve-cuda]") from None
    try:
        graph = onnx.load(str(model))
        stacked: bytes = stacking.stacked(context_rows.with_context_rows(graph)).SerializeToString()
    except Exception as error:  # the library's errors have no common base class
        raise EngineError(f"{model}: its graph cannot be stacked for a GPU: {error}") from error
    return stacked
