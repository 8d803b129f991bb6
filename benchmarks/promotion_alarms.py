"""False alarms of ``ranker-train promote``: how often a model that is exactly at its bounds is refused.

    .venv/bin/python -m benchmarks.promotion_alarms --pairs 1000

Pairs of equal models are simulated: both see the same signal, each through noise of its own, and rows of a group share
a part of both. The bounds allow no loss at all, so that half of all equal models measure worse than the bound. Beside
the alarms are counted: models that are worse by a known noise and are refused, and equal ones that a bound of no loss
``for certain`` lets pass, which has the same level.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.training.promotion.pairs import AT_THE_BOUND, equal_pair, measured, sigmoid
from training.config.promotion import Bound
from training.promotion.verdict import count_tests, judged

CERTAIN = {name: Bound(**dict(bound.limits()), certain=True) for name, bound in AT_THE_BOUND.items()}
NOISE = 0.8
"""Standard deviation of what is added to the logits of a worse model."""


class Setting(NamedTuple):
    """Number of groups, base logit of the labels, and the number of further tests that the level is shared with."""

    groups: int
    base: float
    further: int = 0


SETTINGS = {
    "900 rows in 150 groups": Setting(150, -1.0),
    "120 rows in 20 groups": Setting(20, -1.0),
    "1.4 % positive, 400 groups": Setting(400, -5.0),
    "36 more tests": Setting(150, -1.0, 36),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--level", type=float, default=0.05)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"{asked.pairs:,} pairs each, level {asked.level:g}: at most {asked.level * asked.pairs:g} alarms expected")
    found = {}
    for name, setting in SETTINGS.items():
        found[name] = counted(setting, asked.pairs, asked.resamples, asked.level)
        print(f"{name:28}", "  ".join(f"{what} {count:,}" for what, count in found[name].items()), flush=True)
    if asked.json is not None:
        asked.json.write_text(
            json.dumps({"pairs": asked.pairs, "level": asked.level, "counts": found}, indent=2) + "\n"
        )


def counted(setting: Setting, pairs: int, resamples: int, level: float) -> dict[str, int]:
    """Numbers of equal pairs refused, of worse models refused, and of equal pairs passed by bounds for certain."""
    random = np.random.default_rng(0)
    counts = {"false alarms": 0, "worse refused": 0, "passed for certain": 0}
    for seed in range(pairs):
        pair = equal_pair(random, setting.groups, setting.base)
        drawn = measured(pair, resamples, seed)
        tests = count_tests(AT_THE_BOUND, drawn, []) + setting.further
        counts["false alarms"] += any(check.refuses for check in judged(AT_THE_BOUND, drawn, level, tests))
        counts["passed for certain"] += not any(check.refuses for check in judged(CERTAIN, drawn, level, tests))
        logits = np.log(pair.new / (1.0 - pair.new)) + NOISE * random.normal(size=len(pair.new))
        worse = measured(pair._replace(new=sigmoid(logits)), resamples, seed)
        counts["worse refused"] += any(check.refuses for check in judged(AT_THE_BOUND, worse, level, tests))
    return counts


if __name__ == "__main__":
    main()
