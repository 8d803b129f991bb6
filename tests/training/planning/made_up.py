"""Made-up unit costs of round numbers, for plans that can be computed by hand."""

from typing import Any

from training.planning import UnitCosts


def line(fixed: float, each: float) -> dict[str, float]:
    """A line."""
    return {"fixed": fixed, "each": each}


COSTS: dict[str, Any] = {
    "format": 1,
    "measured": "2026-01-31",
    "machine": {"processor": "made up", "cores": 2, "memory_gib": 16},
    "model": {"config": "made_up.yaml", "rounds": 1, "dense_bytes": 1e6, "reads": 10, "log_bytes": 50},
    "log": {"cpu_s": line(1e-4, 1e-5), "bytes": line(0, 20)},
    "join": {"cpu_s": line(10, 1e-5), "memory_bytes": 3e8},
    "encode": {"cpu_s": line(2, 2e-5), "fit_cpu_s": line(1, 1e-5), "bytes": line(0, 300), "memory_bytes": 5e8},
    "ids": {"memory_bytes": line(1e8, 1000), "bytes": line(0, 100)},
    "train": {"cpu_s": line(0.01, 5e-5), "memory_bytes": line(1e9, 1e4)},
    "tables": {
        "server_cpu_s": {"step": 1e-3, "row": 1e-6, "byte": 1e-9},
        "worker_cpu_s": {"step": 2e-3, "row": 1e-6, "byte": 2e-9},
        "wire_bytes": {"step": 1000, "row": 16, "byte": 2},
    },
    "score": {"cpu_s": line(2, 2e-5), "bytes": line(0, 16), "memory_bytes": 4e8},
    "rank": {
        "cpu_s": line(1e-3, 1e-5),
        "request_bytes": line(1000, 200),
        "answer_bytes": line(200, 100),
        "memory_bytes": 3e8,
    },
}


def costs(**changes: Any) -> UnitCosts:
    """The made-up costs, with whole sections changed."""
    return UnitCosts.model_validate({**COSTS, **changes})
