"""Methods of online search on simulated users: what the confirmed winner is truly worth, over seeds."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ranker.fusion import FusionOptions, build_plan
from tests.training.online.world import Values, World, config_of, run
from training.fusion_search.space import Space, space
from training.online_methods import ONLINE_METHODS

ROUNDS = 8


def task(objectives: int, seed: int) -> tuple[Space, Values, Callable[[Values], float]]:
    """A trust region, the parameters of today, and the mean reward of parameters: 1 at best, 0.8 today."""
    names = [f"o{i}" for i in range(objectives)]
    today = dict.fromkeys(names, 1.0)
    options = FusionOptions.model_validate({"name": "additive", "parameters": {"share": today}})
    around = space(build_plan(options, dict.fromkeys(names, "binary")), ["share"], 0.5)
    direction = np.random.default_rng([seed, objectives]).uniform(0.5, 1.0, objectives)
    direction *= np.random.default_rng([seed, objectives, 1]).choice([-1, 1], objectives)
    step = 0.45 * direction / np.abs(direction).max()

    def truth(values: Values) -> float:
        off = np.array([values[name] for name in names]) - 1.0 - step
        return float(1.0 - 0.2 * (off**2).sum() / (step**2).sum())

    return around, today, truth


def ends(method: str, objectives: int, noise: float, seeds: int) -> Iterator[tuple[float, int, int]]:
    """True mean reward of what is served after the search, rounds, and users of all rounds, by seed."""
    for seed in range(seeds):
        around, today, truth = task(objectives, seed)
        world = World(truth, noise=noise, today=today, seed=seed)
        config = config_of(method=method, seed=seed, budget={"rounds": ROUNDS})
        with tempfile.TemporaryDirectory() as folder:
            search, _ = run(config, Path(folder), world, around)
        assert search.outcome is not None
        values = dict(today)
        if search.outcome.verdict == "better" and search.outcome.values is not None:
            values |= {name.removeprefix("share."): value for name, value in search.outcome.values.items()}
        units = sum(one.measured.counts.units for one in search.rounds if one.measured is not None)
        yield truth(values), len(search.rounds), units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objectives", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--noise", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    print("| parameters | noise | method | reward, mean ± deviation | share of the gain | users, mean |")
    print("|---|---|---|---|---|---|")
    for objectives in asked.objectives:
        for noise in asked.noise:
            print(f"| {objectives} | {noise:g} | none | 0.800 | 0 % | 0 |")
            for method in ONLINE_METHODS:
                found = np.array(list(ends(method, objectives, noise, asked.seeds)))
                reward, users = found[:, 0], found[:, 2].mean()
                print(
                    f"| {objectives} | {noise:g} | {method} | {reward.mean():.3f} ± {reward.std(ddof=1):.3f} | "
                    f"{(reward.mean() - 0.8) / 0.2:.0%} | {users:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
