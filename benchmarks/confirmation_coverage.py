"""How often the interval of a confirmation holds the true gain, for one pair of fusions and fresh visits each time.

    .venv/bin/python -m benchmarks.confirmation_coverage --experiments 200

Users of a simulated world visit, a few of them often and most seldom; half of them are ranked by another fusion, drawn
by a salt as in the service. The interval of 95 % is that of ``ranker-train online`` and ``ranker-train experiment``:
the delta method by user. The truth is the expected utility of a request of either fusion, over all visits of all
experiments. ``off`` is the estimate's distance to it in its own standard errors: mean 0 and deviation 1 if all is well.
"""

import argparse

import numpy as np

from ranker.fusion import FusionOptions, build_plan
from tests.training.online.coverage import both_ways, confirmations
from tests.training.online.shop import crowd_of, true_scores
from training.simulator import SimulatorConfig, World
from training.simulator.world import OBJECTIVES

TODAY = {"click": 0.2, "long_view": 0.2, "like": 0.5, "share": 0.5, "watch_time": 0.1}
WINNER = {**TODAY, "like": 3.0, "share": 3.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--visits", type=int, nargs="+", default=[50, 200, 1000, 4000], help="of an experiment")
    parser.add_argument("--users", type=int, default=3000)
    asked = parser.parse_args()
    world = World(SimulatorConfig(seed=3, users=asked.users, items=1000, authors=100))
    kinds = {name: "regression" if name == "watch_time" else "binary" for name in OBJECTIVES}
    pair = [
        build_plan(FusionOptions.model_validate({"name": "additive", "parameters": {"share": shares}}), kinds)
        for shares in (TODAY, WINNER)
    ]
    print("| visits | users | true gain | intervals that hold it | low ends above it | high ends below it | off |")
    print("|---|---|---|---|---|---|---|")
    for visits in asked.visits:
        crowds = [
            both_ways(crowd_of(world, seed, 5), (pair[0], pair[1]), true_scores, visits)
            for seed in range(asked.experiments)
        ]
        expected = np.mean([one.expected for one in crowds], axis=0)
        judged = [
            confirmations(one._replace(expected=expected), [f"confirm-{seed}"]) for seed, one in enumerate(crowds)
        ]
        covers = np.concatenate([one.covers for one in judged])
        off = np.concatenate([one.off for one in judged])
        users = np.mean([len(one.users) for one in crowds])
        missed = ~covers
        print(
            f"| {visits:,} | {users:,.0f} | {expected[1] / expected[0] - 1:+.1%} | {covers.mean():.1%} | "
            f"{(missed & (off > 0)).mean():.1%} | {(missed & (off < 0)).mean():.1%} | "
            f"{off.mean():+.2f} ± {off.std():.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
