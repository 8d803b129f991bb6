"""Exploration: the time that it adds to a request, and what it costs and shows on simulated lists.

    python -m benchmarks.exploration --json runs/exploration.json

Time: medians over runs of ranking one request of 500 candidates by `Plan.rank`, on one thread, without and with
exploration of the first 10, 20 and 100 places, each with moves of up to as many places.

Lists: 2,000 of 100 candidates. A candidate's log odds of a click are N(-2, 1); the fused score is the probability of
a click, in which the model's log odds have an error of N(0, .5). Of the first 10 places: NDCG of the true
probabilities, the sum of true probabilities relative to that without exploration, the share of candidates that stand at
another place, their mean move, the share of those that were not among the first 10 before, and quantiles of the
propensities.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import versions, write_json
from ranker.fusion import Candidates, FusionOptions, Plan, build_plan

CANDIDATES, LISTS, EACH, TOP = 500, 2000, 100, 10
KINDS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "plackett_luce": ("temperature", (0.02, 0.05, 0.1, 0.2, 0.5, 100.0)),
    "epsilon": ("epsilon", (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)),
    "swap": ("probability", (0.1, 0.3, 0.5)),
}


def main(
    json: Annotated[Path | None, typer.Option(help="Where to write the numbers.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each kind.")] = 1000,
    lists: Annotated[int, typer.Option(help="Simulated lists.")] = LISTS,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Measure both, and print a table of each."""
    console = Console()
    times, effects = list(_times(runs, seed)), list(_effects(lists, seed))
    for title, lines in (("time", times), ("lists", effects)):
        table = Table(*lines[0], title=title)
        for line in lines:
            table.add_row(*(value if isinstance(value, str) else f"{value:.4g}" for value in line.values()))
        console.print(table)
    if json is not None:
        write_json(json, {"versions": versions(), "time": times, "lists": effects})


def _plan(explore: Mapping[str, Any] | None) -> Plan:
    return build_plan(FusionOptions.model_validate({"explore": explore}), {"click": "binary"})


def _times(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    some = Candidates.of(("click",), np.random.default_rng(seed).random((CANDIDATES, 1)))
    cases: dict[str, Mapping[str, Any] | None] = {"none": None}
    for kind in KINDS:
        cases |= {f"{kind}, first {n}": {"kind": kind, "first": n, "max_move": n} for n in (10, 20, 100)}
    for name, explore in cases.items():
        plan, found = _plan(explore), []
        for number in range(runs):
            begun = time.perf_counter()
            plan.rank(some, str(number)).order(20)
            found.append(1e3 * (time.perf_counter() - begun))
        yield {"exploration": name, "median ms": np.median(found), "p95 ms": np.quantile(found, 0.95)}


def _effects(lists: int, seed: int) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(seed)
    odds = random.normal(-2, 1, (lists, EACH))
    true = 1 / (1 + np.exp(-odds))
    scores = 1 / (1 + np.exp(-odds - random.normal(0, 0.5, odds.shape)))
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    best = (np.sort(true, axis=1)[:, ::-1][:, :TOP] * discounts).sum(axis=1)
    greedy = 0.0
    cases: dict[str, Mapping[str, Any] | None] = {"none": None}
    for kind, (name, values) in KINDS.items():
        cases |= {f"{kind}, {name} {value:g}": {"kind": kind, name: value} for value in values}
    for name, explore in cases.items():
        plan = _plan(explore)
        shown, places, chances = (np.empty((lists, TOP)) for _ in range(3))
        for i, (probabilities, fused) in enumerate(zip(true, scores, strict=True)):
            ranked = plan.rank(Candidates.of(("click",), fused[:, None]), f"list-{i}")
            order = ranked.order(TOP)
            base, propensity = ranked.drawn(order)
            shown[i] = probabilities[order]
            places[i] = np.arange(1, TOP + 1) if base is None else base
            chances[i] = 1.0 if propensity is None else propensity
        clicks = float(shown.sum(axis=1).mean())
        greedy = greedy or clicks
        moves = np.abs(places - np.arange(1, TOP + 1))
        yield {
            "exploration": name,
            f"NDCG@{TOP}": float(((shown * discounts).sum(axis=1) / best).mean()),
            "clicks, relative": clicks / greedy,
            "moved": float((moves > 0).mean()),
            "mean move": float(moves.mean()),
            "new": float((places > TOP).mean()),
            "propensity, median": float(np.median(chances)),
            "5 %": float(np.quantile(chances, 0.05)),
            "0.1 %": float(np.quantile(chances, 0.001)),
        }


if __name__ == "__main__":
    typer.run(main)
