"""Compares learned fusions with every formula, each tuned for the same label, on held-out requests.

    ranker-train simulate --rows 600000 --seed 1 --output log
    ranker-train fit config.yaml --data log --output out        # configs/demo.yaml with `last: 3`
    python -m benchmarks.learned_fusion out --json learned_fusion.json

Half of the validation requests are for fitting: trees by LightGBM, and each formula's parameters by a cross-entropy
search for the reported metric. The other half is for evaluation only.
"""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ranker.fusion import FUSIONS, Candidates, Floats, Formula, Requests, build_fusion
from ranker.fusion.base import Parameter
from ranker.fusion.labels import labels_and_weights, measure
from training.data.encode import columns_at, rows_of
from training.data.split.held_out import split
from training.trainer.run import Run
from training.trainer.train import reopen

REQUEST = "request_id"
FEATURES = ("duration_s", "item_age_days")
ROUNDS, SETS, ELITE = 5, 80, 10
PARTS = 25
NEAR = {"k": (0.0, 100.0), "buckets": (2.0, 30.0), "shift": (0.0, 0.5)}
"""Search ranges of parameters; the others are searched within 3 of their minimum."""

LABELS = {
    "value by LambdaRank": {
        "label": "0.1 * click + long_view + 3 * like + 5 * share",
        "loss": "lambdarank",
        "request": REQUEST,
    },
    "engaged by log loss": {"label": "max(long_view, like, share)"},
    "minutes watched by log loss": {"label": "min(watch_time / 60, 1)"},
}


@dataclass(frozen=True)
class Half:
    """Candidates, labels and requests of one half of the rows."""

    candidates: Candidates
    labels: Floats
    log: Mapping[str, Any]
    grouped: bool

    def measured(self, fused: Floats) -> float:
        """Metric of the label."""
        requests = self.candidates.requests.codes if self.grouped else None
        return measure(self.labels, fused, np.ones(len(fused)), requests)


def searched(formula: Formula, half: Half, seed: int = 0) -> tuple[dict[str, Floats], float]:
    """Best parameters for a half's metric, by cross-entropy search; strengths are in logs, from 1 / deviation."""
    random = np.random.default_rng(seed)
    prepared = formula.prepare(half.candidates)
    tasks, spread = len(formula.objectives), half.candidates.scores.std(axis=0)
    means, deviations = {}, {}
    for parameter in formula.parameters:
        shape = (tasks,) if parameter.per_objective else ()
        if parameter.name == formula.direction:
            means[parameter.name], deviations[parameter.name] = np.zeros(shape), np.full(shape, 1.5)
        else:
            low, high = NEAR.get(parameter.name, (parameter.low, min(parameter.high, parameter.low + 3.0)))
            means[parameter.name], deviations[parameter.name] = (
                np.full(shape, (low + high) / 2),
                np.full(shape, (high - low) / 3),
            )
    best, best_value = {}, -np.inf
    for _ in range(ROUNDS):
        drawn = {name: random.normal(mean, deviations[name], (SETS, *mean.shape)) for name, mean in means.items()}
        sets = {p.name: _stated(p, drawn[p.name], formula, spread) for p in formula.parameters}
        values = np.array([half.measured(fused) for _, block in formula.sweep(prepared, sets) for fused in block])
        elite = np.argsort(-values)[:ELITE]
        if values[elite[0]] > best_value:
            best, best_value = {name: array[elite[0]] for name, array in sets.items()}, float(values[elite[0]])
        for name in means:
            means[name], deviations[name] = drawn[name][elite].mean(axis=0), drawn[name][elite].std(axis=0) + 1e-3
    return best, best_value


def _stated(parameter: Parameter, drawn: Floats, formula: Formula, spread: Floats) -> Floats:
    """Convert drawn numbers to parameters within their bounds."""
    if parameter.name == formula.direction:
        scaled = np.exp(drawn) / (spread if formula.direction in ("share", "factor") else 1.0)
        return np.clip(scaled, parameter.low, parameter.high)
    within = np.clip(drawn, parameter.low, parameter.high)
    return np.round(within) if parameter.integer else within


def halves(run: Run, options: Mapping[str, Any]) -> tuple[Half, Half]:
    """Split the rows by request into a half to fit and a half to evaluate."""
    experiment = run.experiment
    rows = rows_of(experiment.log_schema, split(run.log, experiment.data.split, experiment.training.seed))
    tasks = tuple(experiment.log_schema.tasks)
    log = columns_at(
        experiment.log_schema, rows, [REQUEST, *FEATURES, *(["click", "long_view", "like", "share", "watch_time"])]
    )
    labels, _, known = labels_and_weights(options["label"], None, log, np.inf)
    assert known.all()
    codes = Requests.of(log[REQUEST].astype(np.int64)).codes
    first = np.random.default_rng(0).permutation(codes.max() + 1)[codes] % 2 == 0
    made = []
    for side in (first, ~first):
        features = {name: log[name][side] for name in FEATURES}
        candidates = Candidates.of(tasks, run.predictions.scores[side], Requests.of(codes[side]), features)
        made.append(Half(candidates, labels[side], {k: v[side] for k, v in log.items()}, "request" in options))
    return made[0], made[1]


def error(half: Half, one: Floats, other: Floats) -> float:
    """Half-width of the 95 % interval of the difference of two metrics, from its spread over parts of the requests."""
    part = np.random.default_rng(1).permutation(half.candidates.requests.count)[half.candidates.requests.codes] % PARTS
    found = []
    for i in range(PARTS):
        rows = part == i
        requests = half.candidates.requests.codes[rows] if half.grouped else None
        a, b = (measure(half.labels[rows], fused[rows], np.ones(rows.sum()), requests) for fused in (one, other))
        found.append(a - b)
    return float(1.96 * np.std(found, ddof=1) / np.sqrt(PARTS))


def compared(run: Run, name: str, options: Mapping[str, Any], console: Console) -> dict[str, Any]:
    """Metrics of every formula and of learned fusions on the held-out half."""
    fitting, testing = halves(run, options)
    tasks = tuple(run.experiment.log_schema.tasks)
    fused: dict[str, Floats] = {}
    seen: dict[str, float] = {}
    with console.status(name) as status:
        for formula_name, formula_class in FUSIONS.items():
            if formula_class.direction is None:
                continue
            status.update(f"{name}: {formula_name}")
            fusion = build_fusion(formula_name, tasks, {}).fit(fitting.candidates)
            parameters, seen[formula_name] = searched(fusion.formula, fitting)
            fused[formula_name] = fusion.formula.fuse(testing.candidates, parameters)
        for title, features in (("learned", ()), ("learned, with features", FEATURES)):
            status.update(f"{name}: {title}")
            start = time.perf_counter()
            fusion = build_fusion("learned", tasks, {}, {**options, "features": features})
            fusion = fusion.fit(fitting.candidates, fitting.log)
            fused[title] = fusion.formula.fuse(testing.candidates, fusion.arrays)
            assert fusion.state is not None  # it has been fitted
            seen[title] = fusion.state["held_out"]["value"]
            console.print(f"{name}, {title}: {len(fusion.state['trees'])} trees in {time.perf_counter() - start:.0f} s")
    values = {key: testing.measured(value) for key, value in fused.items()}
    best = max((key for key in values if key in FUSIONS and key != "learned"), key=lambda key: values[key])
    table = Table(
        "fusion",
        "where fitted (learned: held out)",
        "on the other half",
        f"less {best}",
        title=f"{name}: {options['label']}",
    )
    rows = []
    for key, value in sorted(values.items(), key=lambda item: -item[1]):
        around = error(testing, fused[key], fused[best])
        rows.append(
            {"fusion": key, "fitted": seen[key], "measured": value, "difference": value - values[best], "error": around}
        )
        table.add_row(key, f"{seen[key]:.4f}", f"{value:.4f}", f"{value - values[best]:+.4f} ±{around:.4f}")
    console.print(table)
    return {
        "label": options["label"],
        "measure": "NDCG@10" if "request" in options else "AUC",
        "rows": len(testing.labels),
        "fusions": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the output folder of a `fit`")
    parser.add_argument("--only", choices=list(LABELS), help="one of the labels; by default all")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    console, run = Console(), reopen(arguments.run)
    chosen = LABELS if arguments.only is None else {arguments.only: LABELS[arguments.only]}
    found = {name: compared(run, name, options, console) for name, options in chosen.items()}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
