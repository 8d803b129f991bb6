"""Parameter sets per second: the search's evaluator compared with a loop over scikit-learn's ``roc_auc_score``.

python -m benchmarks.fusion_evaluator --json runs/fusion_evaluator.json
"""

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.report import versions, write_json
from ranker.fusion import FusionOptions, Plan, build_plan
from ranker.metrics.binned_auc import BinnedAuc
from training.config.metric_names import Metric
from training.fusion_search.evaluator import Evaluator
from training.fusion_search.scored_rows import ScoredRows
from training.fusion_search.space import Sets

OBJECTIVES = ("click", "long_view", "like", "share")
RATES = (0.35, 0.20, 0.03, 0.01)
PLANS = {
    "additive": {"share": {"click": 1.0, "long_view": 1.5, "like": 8.0, "share": 15.0}},
    "multiplicative": {"power": {"click": 1.0, "long_view": 1.0, "like": 0.5, "share": 0.5}},
    "rank_bucket": {"weight": {"like": 2.0}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = drawn(options.rows)
    metrics = [Metric(name, "auc") for name in OBJECTIVES]
    found = [
        measured(name, plan(name, parameters), rows, metrics, options.rounds, options.threads)
        for name, parameters in PLANS.items()
    ]
    table = Table(
        *("formula", "scikit-learn, sets/s", "exact, sets/s", "times", "binned, sets/s", "times"),
        *("CPU ms a set: scikit-learn", "exact", "binned", "exact, error", "binned, error", "binned, bound"),
        title=f"{options.rows:,} rows, {len(OBJECTIVES)} objectives, {options.threads} threads; medians of "
        f"{options.rounds} interleaved rounds",
    )
    for line in found:
        table.add_row(
            line["formula"],
            f"{line['sklearn']:.2f}",
            *(text for way in ("exact", "binned") for text in (f"{line[way]:.1f}", f"{line[f'{way}_times']:.0f}")),
            *(f"{1000 * line['cpu_seconds'][way]:.1f}" for way in ("sklearn", "exact", "binned")),
            *(f"{line[name]:.1e}" for name in ("exact_error", "binned_error", "binned_bound")),
        )
    Console(width=160).print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Console().print(f"peak memory in total: {peak:,.0f} MB; of the evaluator alone: {found[0]['megabytes']:,.0f} MB")
    if options.json is not None:
        facts = {"rows": options.rows, "threads": options.threads, "rounds": options.rounds, "peak_megabytes": peak}
        write_json(options.json, {**facts, "versions": versions("numpy", "scikit-learn"), "results": found})


def drawn(rows: int) -> ScoredRows:
    """Probabilities of four correlated objectives as accurate as a typical model's, and labels drawn from them."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(rows, 1))
    logits = np.log(np.array(RATES) / (1 - np.array(RATES))) + 0.7 * common + 0.7 * rng.normal(size=(rows, 4))
    scores = 1.0 / (1.0 + np.exp(-logits))
    labels = (rng.random((rows, 4)) < scores).astype(np.float64)
    groups = np.arange(rows) // 20
    return ScoredRows(OBJECTIVES, scores, labels, np.ones(scores.shape, dtype=bool), groups, {})


def plan(name: str, parameters: dict[str, Any]) -> Plan:
    return build_plan(FusionOptions(name=name, parameters=parameters), dict.fromkeys(OBJECTIVES, "binary"))


def measured(
    name: str, fusion: Plan, rows: ScoredRows, metrics: list[Metric], rounds: int, threads: int
) -> dict[str, Any]:
    """Time each method in turn for several rounds; scikit-learn's loop gets the fused scores for free."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    exact = Evaluator(fusion, rows, metrics, jobs=threads)
    binned = Evaluator(fusion, rows, metrics, binned=True, jobs=threads)
    sets = moved(fusion, 8 * threads)
    one = {key: values[:1] for key, values in sets.items()}
    first = exact.fused(one)
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "exact": (8 * threads, lambda: exact(sets)),
        "binned": (8 * threads, lambda: binned(sets)),
        "sklearn": (1, lambda: [roc_auc_score(rows.labels[:, i], first) for i in range(len(metrics))]),
    }
    exact(sets), binned(sets)
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    costs: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (count, call) in ways.items():
            begun, worked = time.perf_counter(), time.process_time()
            call()
            speeds[way].append(count / (time.perf_counter() - begun))
            costs[way].append((time.process_time() - worked) / count)
    right = np.array([roc_auc_score(rows.labels[:, i], first) for i in range(len(metrics))])
    exactly, roughly = exact(sets), binned(sets)
    bounds = BinnedAuc(rows.labels, rows.known)(first).bounds
    medians = {way: float(np.median(values)) for way, values in speeds.items()}
    return {
        "formula": name,
        **medians,
        "cpu_seconds": {way: float(np.median(values)) for way, values in costs.items()},
        "exact_times": float(np.median(np.array(speeds["exact"]) / speeds["sklearn"])),
        "binned_times": float(np.median(np.array(speeds["binned"]) / speeds["sklearn"])),
        "exact_error": float(np.abs(exactly[0] - right).max()),
        "binned_error": float(np.abs(roughly - exactly).max()),
        "binned_bound": float(bounds.max()),
        "megabytes": megabytes,
    }


def moved(fusion: Plan, count: int) -> Sets:
    """Parameter sets around the plan's own."""
    rng = np.random.default_rng(1)
    return {
        key: values * rng.uniform(0.5, 1.5, (count, *values.shape)) if values.ndim else np.repeat(values[None], count)
        for key, values in fusion.fusion.arrays.items()
    }


if __name__ == "__main__":
    main()
