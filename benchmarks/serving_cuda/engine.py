"""The engine alone: agreement of scores, latencies, and where the time of a call goes."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

from benchmarks.under_fire.verdict import quantile
from ranker.artifact import Artifact, difference
from ranker.encoding import Packed
from ranker.engines import ENGINES, Engine, EngineOptions

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def of_artifact(artifact: Artifact, device: str, sizes: list[int], calls: int) -> dict[str, Any]:
    """Largest difference of golden scores, and measurements by number of candidates."""
    engine, cpu = (ENGINES["onnxruntime"](artifact.model_path, EngineOptions(where)) for where in (device, "cpu"))
    return {
        "worst golden difference": golden(artifact, engine, cpu),
        "fixed sizes": list(engine.sizes),
        "sizes": [measured(artifact, engine, device, size, calls) for size in sizes],
    }


def golden(artifact: Artifact, engine: Engine, cpu: Engine) -> float:
    """Largest difference of golden scores between the device, the CPU and the export."""
    found = []
    for request in artifact.golden:
        packed = artifact.encoder.encode({name: [v] for name, v in request.context.items()}, request.candidates)
        expected = np.array([request.scores[task] for task in artifact.manifest.tasks]).T
        scores = engine.score(packed)
        found += [difference(scores, cpu.score(packed)), difference(scores, expected)]
    return max(found)


def measured(artifact: Artifact, engine: Engine, device: str, candidates: int, calls: int) -> dict[str, Any]:
    """Milliseconds of the engine's call, and of the parts of a call of the exported graph on bound arrays."""
    packed = packed_of(artifact, candidates)
    whole = timed(lambda: engine.score(packed), calls)
    parts, nodes = split(artifact.model_path, device, packed, calls)
    return {
        "candidates": candidates,
        "engine p50": quantile(whole, 0.5),
        "engine p99": quantile(whole, 0.99),
        **{f"exported graph: {name}": value for name, value in parts.items()},
        "exported graph: slowest nodes": nodes,
    }


def packed_of(artifact: Artifact, candidates: int) -> Packed:
    """The first golden request with its candidates repeated."""
    request = artifact.golden[0]
    packed = artifact.encoder.encode({name: [v] for name, v in request.context.items()}, request.candidates)
    times = candidates // len(packed.candidate_ids) + 1
    return packed._replace(
        candidate_ids=np.ascontiguousarray(np.tile(packed.candidate_ids, (times, 1))[:candidates]),
        candidate_numbers=np.ascontiguousarray(np.tile(packed.candidate_numbers, (times, 1))[:candidates]),
    )


def split(model: Path, device: str, packed: Packed, calls: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median ms of copying in, running on bound arrays (kernels and their launch) and copying out; slowest nodes.

    The nodes come from ONNX Runtime's profile. On CUDA their times are those of the launches, unless ONNX Runtime was
    built to read the device's clocks.
    """
    if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")  # as in the service
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDERS[device]])
        names = {node.name for node in session.get_inputs()}
        feed = {name: array for name, array in packed._asdict().items() if name in names}
        bound = {name: onnxruntime.OrtValue.ortvalue_from_numpy(a, device, 0) for name, a in feed.items()}
        binding = session.io_binding()
        for name, value in bound.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("scores", device, 0)

        def kernels() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        copied = timed(lambda: [onnxruntime.OrtValue.ortvalue_from_numpy(a, device, 0) for a in feed.values()], calls)
        ran = timed(kernels, calls)
        back = timed(lambda: binding.get_outputs()[0].numpy(), calls)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        profiled = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDERS[device]])
        for _ in range(20):
            profiled.run(["scores"], feed)
        nodes = slowest(Path(profiled.end_profiling()), 20)
    medians = {"copy in": copied, "kernels": ran, "copy out": back}
    return {name: round(float(np.median(values)), 3) for name, values in medians.items()}, nodes


def slowest(profile: Path, runs: int, count: int = 5) -> dict[str, float]:
    """Milliseconds per run of the slowest node types."""
    spent: Counter[str] = Counter()
    for entry in orjson.loads(profile.read_bytes()):
        if entry.get("cat") in ("Node", "Kernel") and not entry["name"].endswith(("_fence_before", "_fence_after")):
            spent[entry.get("args", {}).get("op_name", entry["name"])] += entry["dur"]
    return {name: round(micros / runs / 1e3, 3) for name, micros in spent.most_common(count)}


def timed(call: Callable[[], object], calls: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Milliseconds of each call, after some warm-up calls."""
    found = []
    for number in range(calls + 20):
        begun = time.perf_counter()
        call()
        if number >= 20:
            found.append((time.perf_counter() - begun) * 1e3)
    return np.array(found)
