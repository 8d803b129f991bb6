"""Coverage of the intervals of ``ranker-train evaluate-policy``: how often they hold the true value.

    .venv/bin/python -m benchmarks.off_policy_coverage --logs 100 --requests 1000

Simulated users are shown lists that a logging policy draws, and look at place k with a probability of their own. The
true value of a target policy is the mean over many other requests. Beside the estimators: ``naive`` takes the mean
reward of places where the target's order has what was shown, and ``direct`` believes the model.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ranker.fusion.exploration import PlackettLuce
from tests.training.off_policy.simulated import Policy, Served, Setting, served, true_value, world_of
from training.off_policy.estimate import estimate
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.logged import Floats
from training.off_policy.options import EvaluationOptions
from training.off_policy.sample import Sample, compared
from training.off_policy.support import reasons, support_of


def soft(temperature: float, first: int, move: int) -> PlackettLuce:
    """Plackett-Luce exploration."""
    return PlackettLuce(kind="plackett_luce", temperature=temperature, first=first, max_move=move)


SETTINGS: Mapping[str, Setting] = {
    "other weights": Setting(12, 5, Policy(1.0, soft(0.4, 5, 12)), Policy(8.0, soft(0.4, 5, 12))),
    "sharper": Setting(12, 5, Policy(1.0, soft(0.4, 5, 12)), Policy(1.0, soft(0.25, 5, 12))),
    "neighbours": Setting(12, 5, Policy(6.0, soft(0.4, 5, 3)), Policy(8.0, soft(0.3, 5, 3))),
    "no exploration": Setting(12, 5, Policy(4.0, soft(0.3, 5, 12)), Policy(8.0, None)),
    "wrong model": Setting(12, 5, Policy(1.0, soft(0.4, 5, 12)), Policy(8.0, soft(0.4, 5, 12)), slope=-0.5),
    "ten of twenty": Setting(20, 10, Policy(1.0, soft(0.5, 10, 20)), Policy(8.0, soft(0.5, 10, 20))),
}
LIMITS = EvaluationOptions()
TRUTH = 100_000
"""Requests behind a true value."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    world = world_of()
    found: dict[str, Any] = {}
    for name in asked.settings:
        setting, began = SETTINGS[name], perf_counter()
        truth = true_value(world, setting, TRUTH, 10_000)
        logs = (served(world, setting, asked.requests, seed) for seed in range(asked.logs))
        samples, guesses = zip(*(compared_to_target(log, setting, asked.draws) for log in logs), strict=True)
        rows, seen = table(samples, guesses, truth), float(np.mean([sample.observed.mean() for sample in samples]))
        found[name] = {"truth": truth, "observed": seen, "rows": rows}
        print(f"\n{name}: true value {truth:.4f}, observed {seen:.4f}, {asked.logs} logs of ", end="")
        print(f"{asked.requests:,} requests, {perf_counter() - began:.0f} s")
        print("| estimator | bias | sd | rmse | held the truth | refused | effective |\n|---|---|---|---|---|---|---|")
        for estimator, row in rows.items():
            print("|", " | ".join([estimator, *(shown(row[key]) for key in row)]), "|", flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def compared_to_target(log: Served, setting: Setting, draws: int) -> tuple[Sample, float]:
    """The log under both policies, and the naive guess."""
    logging, target = (log.orders(policy) for policy in (setting.logging, setting.target))
    sample = compared(log.logged, logging, target, places=setting.places, draws=draws, seed=0)
    same = log.logged.by_place((target.base == log.logged.place).astype(np.float64), setting.places)
    return sample, float(((sample.rewards * same).sum(axis=0) / same.sum(axis=0)).sum())


def table(samples: Sequence[Sample], guesses: Sequence[float], truth: float) -> dict[str, dict[str, float]]:
    """Bias, spread and coverage by estimator."""
    rows: dict[str, dict[str, float]] = {}
    supports = [support_of(sample) for sample in samples]
    for name in ESTIMATORS:
        found = [estimate(sample, name) for sample in samples]
        values = np.array([one.value.value for one in found])
        rows[name] = spread(values, truth) | {
            "covered": sum(one.value.low <= truth <= one.value.high for one in found),
            "refused": sum(bool(reasons(one, support, LIMITS)) for one, support in zip(found, supports, strict=True)),
            "effective": float(np.mean([one.least_effective for one in found])),
        }
    rows["naive"] = spread(np.array(guesses), truth)
    rows["direct"] = spread(np.array([direct(sample) for sample in samples]), truth)
    return rows


def spread(values: Floats, truth: float) -> dict[str, float]:
    """Bias, standard deviation, root mean square error."""
    errors = values - truth
    return {
        "bias": float(errors.mean()),
        "sd": float(values.std()),
        "rmse": float(np.sqrt((errors**2).mean())),
    }


def shown(value: float) -> str:
    """A cell of the table."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value > 20 else f"{value:.4f}"


def direct(sample: Sample) -> float:
    """What the model expects."""
    assert sample.model is not None
    return float(sample.model.target.sum(axis=1).mean())


if __name__ == "__main__":
    main()
