"""False alarms and power of ``ranker-train experiment`` on simulated users.

    .venv/bin/python -m benchmarks.experiment_alarms --crowds 20 --draws 10

Users of the simulated world visit for three weeks; a few come often, most seldom, and watch time has a heavy tail.
Every crowd of visits is answered by two rankers with the same luck, so that what each user would have done in either
group is known, and an experiment is a draw of users into two groups: of equal rankers for false alarms, of different
ones for power. Crowds x draws experiments run for the last two weeks; the first week is the covariate of CUPED. An
alarm is any difference in any of the three metrics, as corrected by Holm; with peeking, on any of the days.

Beside are counted the alarms of one who peeks every day with intervals for one look, and of a test that takes requests
for independent. The power is that for the difference that both rankers have over all users of the crowd.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from training.experiments.critical import FIXED, Critical, Sequential
from training.experiments.judge import Plan, comparisons
from training.experiments.metrics import metric_of
from training.experiments.outlook import power_of
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums
from training.simulator import SimulatorConfig, World
from training.simulator.live import Crowd, CrowdOptions
from training.simulator.population import Ints

Floats = NDArray[np.float64]
KINDS = ("click", "like", "watch_time")
METRICS = [metric_of(text, KINDS) for text in ("click / requests", "like / click", "watch_time.value / users")]
DAYS, BEFORE = 21, 7
LEVEL = 0.05


class Behaviour(NamedTuple):
    """What each user did on each day [N, D], by name of formulas."""

    of: dict[str, Floats]

    def until(self, day: int, since: int = BEFORE) -> dict[str, Floats]:
        """Totals [N] from one day to before another; ``users`` is 1 for who was there."""
        totals = {name: values[:, since:day].sum(axis=1) for name, values in self.of.items()}
        return {**totals, "users": (totals["requests"] > 0).astype(np.float64)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crowds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=10, help="experiments by crowd")
    parser.add_argument("--users", type=int, default=3000)
    parser.add_argument("--visits", type=int, default=20_000, help="by crowd")
    parser.add_argument("--noise", type=float, default=0.9, help="of the better ranker; the other has 1.3")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    world = World(SimulatorConfig(users=asked.users, items=1000))
    alarms: dict[str, int] = {}
    powers: dict[str, list[tuple[bool, float]]] = {}
    finds: dict[str, int] = {}
    for number in range(asked.crowds):
        plain, better = (behaviour(world, number, asked.visits, noise) for noise in (1.3, asked.noise))
        for draw in range(asked.draws):
            group = np.random.default_rng([number, draw]).integers(0, 2, asked.users)
            for name, raised in found_in_alike(plain, group).items():
                alarms[name] = alarms.get(name, 0) + raised
            for name, raised in looked_at((plain, better), group).items():
                finds[name] = finds.get(name, 0) + raised
            for name, pair in found_in_different(plain, better, group).items():
                powers.setdefault(name, []).append(pair)
    count = asked.crowds * asked.draws
    low, high = binom.ppf([0.025, 0.975], count, LEVEL)
    print(f"{count} experiments of equal rankers, level {LEVEL:g}: {low:.0f} to {high:.0f} alarms are within chance")
    for name, total in alarms.items():
        print(f"{name:55} {total:4} ({total / count:.1%})")
    print("different rankers: computed and measured power")
    measured = {}
    for name, pairs in powers.items():
        hit, computed = np.array(pairs, dtype=np.float64).T
        measured[name] = {"computed": computed.mean(), "found": hit.mean()}
        print(f"{name:55} {computed.mean():.1%} {hit.mean():.1%}")
    print("different rankers: experiments that find a difference in any metric")
    for name, total in finds.items():
        print(f"{name:55} {total:4} ({total / count:.1%})")
    if asked.json is not None:
        found = {"experiments": count, "alarms": alarms, "power": measured, "finds": finds, "low": low, "high": high}
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


def behaviour(world: World, seed: int, visits: int, noise: float) -> Behaviour:
    """Let a crowd be ranked by true utility and noise, and add up what users do by day."""
    crowd = Crowd(world, CrowdOptions(seed=seed, per_second=visits / (DAYS * 86_400)))
    users, shape = world.config.users, (world.config.users, DAYS)
    of = {name: np.zeros(shape) for name in ("requests", *KINDS, "watch_time.value")}
    for start in range(0, visits, 1000):
        block = crowd.arrive(min(1000, visits - start))
        days = np.minimum((np.arange(start, start + len(block)) * DAYS) // visits, DAYS - 1)
        worth = np.log(world.utility(block.users[:, None], block.candidates))
        worth += noise * np.random.default_rng([seed, start]).normal(size=worth.shape)
        shown = np.take_along_axis(block.candidates, np.argsort(-worth, axis=1), axis=1)[:, : crowd.shown]
        labels = crowd.respond(block, shown).labels
        cell = block.users * DAYS + days
        parts = {"requests": np.ones(len(block)), "watch_time.value": labels["watch_time"].sum(axis=1)}
        parts |= {kind: (labels[kind] > 0).sum(axis=1) for kind in KINDS}
        for name, values in parts.items():
            of[name] += np.bincount(cell, values, minlength=users * DAYS).reshape(shape)
    return Behaviour(of)


def units_of(behaviours: tuple[Behaviour, Behaviour], group: Ints, day: int, *, cuped: bool = False) -> UnitSums:
    """Sums up to a day of users who are in a group; each group's behaviour is its own."""
    control = behaviours[0]
    now, then = _chosen(behaviours, group, BEFORE, day), _chosen((control, control), group, 0, BEFORE)
    there = now["users"] > 0
    now, then = ({name: values[there] for name, values in part.items()} for part in (now, then))
    earlier = then["users"] > 0
    sums = {}
    for metric in METRICS:
        covariate = [np.zeros(int(there.sum())) for _ in range(2)]
        for whole, part in zip(covariate, metric.sums({n: v[earlier] for n, v in then.items()}), strict=True):
            whole[earlier] = part
        sums[metric.name] = RatioSums(*metric.sums(now), (covariate[0], covariate[1]) if cuped else None)
    return UnitSums(["control", "bold"], group[there], sums)


def _chosen(behaviours: tuple[Behaviour, Behaviour], group: Ints, since: int, day: int) -> dict[str, Floats]:
    """Totals [N] of each user's own group."""
    control, bold = (one.until(day, since) for one in behaviours)
    return {name: np.where(group == 1, bold[name], control[name]) for name in control}


def plan(method: Critical) -> Plan:
    """The three metrics, corrected by Holm."""
    return Plan("control", ["bold"], METRICS, [], LEVEL, "holm", method, 0.05, 0.8)


def differs(units: UnitSums, method: Critical) -> bool:
    """Whether any metric is called better or worse."""
    return any(one.outcome != "open" for one in comparisons(units, plan(method)))


def found_in_alike(same: Behaviour, group: Ints) -> dict[str, bool]:
    """Whether each way to judge raises an alarm in groups of one ranker."""
    pair = (same, same)
    daily = [units_of(pair, group, day) for day in range(BEFORE + 1, DAYS + 1)]
    return {
        **looked_at(pair, group),
        "fixed, looks every day (not valid)": any(differs(units, FIXED) for units in daily),
        "requests as units (not valid)": _by_request(daily[-1]),
    }


def looked_at(pair: tuple[Behaviour, Behaviour], group: Ints) -> dict[str, bool]:
    """Whether each valid way to judge finds a difference."""
    daily = [units_of(pair, group, day) for day in range(BEFORE + 1, DAYS + 1)]
    return {
        "fixed, one look": differs(daily[-1], FIXED),
        "fixed, one look, CUPED": differs(units_of(pair, group, DAYS, cuped=True), FIXED),
        "sequential, looks every day": any(differs(units, Sequential(0.05)) for units in daily),
    }


def _by_request(units: UnitSums) -> bool:
    """Clicks a request with the variance of independent requests, at the level of three comparisons."""
    sums = units.metrics["click / requests"]
    rates, errors = [], []
    for index in range(2):
        own = units.group == index
        clicks, requests = sums.numerator[own].sum(), sums.denominator[own].sum()
        rates.append(clicks / requests)
        errors.append(clicks / requests**2)
    return bool(abs(rates[1] - rates[0]) > FIXED.bound(LEVEL / 3, 1e9, 0) * np.sqrt(sum(errors)))


def found_in_different(plain: Behaviour, better: Behaviour, group: Ints) -> dict[str, tuple[bool, float]]:
    """By metric, whether the difference is found at the level of one comparison, and the power computed for it."""
    found = {}
    everyone = np.ones(len(group), dtype=np.intp)
    for cuped in (False, True):
        units = units_of((plain, better), group, DAYS, cuped=cuped)
        for metric in METRICS:
            values = []
            for one in (plain, better):
                sums = units_of((one, one), everyone, DAYS).metrics[metric.name]
                values.append(sums.numerator.sum() / sums.denominator.sum())
            [told] = compare(units, metric.name, "control", LEVEL)
            assert told.p is not None
            assert told.error is not None
            assert told.bound is not None
            name = f"{metric.name}{', CUPED' if cuped else ''}"
            found[name] = (told.p < LEVEL, power_of(values[1] - values[0], told.error, told.bound))
    return found


if __name__ == "__main__":
    main()
