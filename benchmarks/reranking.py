"""Re-ranking: the time of each step, and what it costs and gains on simulated lists.

    python -m benchmarks.reranking --json runs/reranking.json

Time: the median over runs of one step on one request, on one thread, from fused scores to the new order. 500
candidates, all considered, 20 places; 60 authors of very different frequency, 12 genres, 4 of 40 tags, vectors of 32
numbers, 5 % new items. The last line is a log: lists of 30, ranked by `Plan.rank` in one call.

Lists: 2,000 of 100 candidates. A candidate has one of 12 genres, and a vector of 16 numbers around its genre's
(standard deviation .5). A user likes 3 genres: a candidate's log odds of a click are -2 + 1.5 if its genre is liked +
N(0, 1). The fused score is that probability of a click, in which the model's log odds have an error of N(0, .5). The
clicked labels of NDCG are drawn from the true probability, as if each place were seen alone. Interest fades: a user
clicks the n-th candidate of a genre with the true probability times .7^(n - 1). Expected clicks are their sum over the
first 10 places.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.report import versions, write_json
from ranker.encoding.kinds.base import Comparable
from ranker.fusion import Candidates, FusionOptions, Plan, Requests, build_plan
from ranker.fusion.reranking import STEPS, Readable, Request, rerank
from ranker.metrics import RANKING_METRICS, Groups, Relevance

CANDIDATES, PLACES = 500, 20
LISTS, EACH, TOP, FADES = 2000, 100, 10, 0.7
TIMED: Mapping[str, Mapping[str, Any]] = {
    "mmr, vector of 32": {"kind": "mmr", "of": "vector"},
    "mmr, 4 tags": {"kind": "mmr", "of": "tags"},
    "mmr, author": {"kind": "mmr", "of": "author"},
    "mmr, 2 numbers": {"kind": "mmr", "of": ["price", "age"]},
    "dpp, vector of 32": {"kind": "dpp", "of": "vector"},
    "dpp, 4 tags": {"kind": "dpp", "of": "tags"},
    "dpp, author": {"kind": "dpp", "of": "author"},
    "spread, 1 author in 4": {"kind": "spread", "of": "author"},
    "spread, 2 genres in 12": {"kind": "spread", "of": "genre", "at_most": 2, "window": 12},
    "quota, 2 new of 10": {"kind": "quota", "where": "is_new == 1", "at_least": 2},
    "fixed, 2 slots": {"kind": "fixed", "where": "is_new == 1", "slots": [3, 8]},
}
TRIED: Mapping[str, Mapping[str, Any] | None] = {
    "none": None,
    **{f"mmr of vector, lambda {x:g}": {"kind": "mmr", "of": "vector", "lambda": x} for x in (0.9, 0.8, 0.7, 0.5, 0.3)},
    **{f"mmr of genre, lambda {x:g}": {"kind": "mmr", "of": "genre", "lambda": x} for x in (0.9, 0.8, 0.7)},
    **{f"dpp of vector, theta {x:g}": {"kind": "dpp", "of": "vector", "theta": x} for x in (0.95, 0.9, 0.8, 0.5)},
    "spread of genre, 1 in 2": {"kind": "spread", "of": "genre", "window": 2},
    "spread of genre, 1 in 4": {"kind": "spread", "of": "genre", "window": 4},
    "spread of genre, 2 in 10": {"kind": "spread", "of": "genre", "at_most": 2, "window": 10},
}
KINDS: Mapping[str, Comparable] = {
    "author": "category",
    "genre": "category",
    "tags": "tags",
    "vector": "vector",
    "price": "number",
}


def main(
    json: Annotated[Path | None, typer.Option(help="Where to write the numbers.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each step.")] = 300,
    lists: Annotated[int, typer.Option(help="Simulated lists.")] = LISTS,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Measure both, and print a table of each."""
    console = Console()
    times, trade_off = list(_times(runs, seed)), list(_trade_off(lists, seed))
    for title, lines in (("time", times), ("lists", trade_off)):
        table = Table(*lines[0], title=title)
        for line in lines:
            table.add_row(*(value if isinstance(value, str) else f"{value:.4g}" for value in line.values()))
        console.print(table)
    if json is not None:
        write_json(json, {"versions": versions(), "time": times, "lists": trade_off})


def _times(runs: int, seed: int) -> Iterator[dict[str, Any]]:
    request = _request(np.random.default_rng(seed))
    for name, options in TIMED.items():
        considered = {} if options["kind"] == "fixed" else {"consider": CANDIDATES}
        steps = {name: STEPS[options["kind"]].model_validate({**options, **considered})}
        milliseconds = _timed(partial(rerank, steps, request), runs)
        yield {"step": name, "median ms": np.median(milliseconds), "p95 ms": np.quantile(milliseconds, 0.95)}
    plan = _plan({"kind": "mmr", "of": "author"})
    random = np.random.default_rng(seed)
    many = Candidates.of(
        plan.objectives,
        random.random((30_000, 1)),
        Requests.of(np.arange(30_000) // 30),
        {"author": random.integers(0, 60, 30_000)},
    )
    milliseconds = _timed(lambda: plan.rank(many), 5) / 1000
    yield {
        "step": "1,000 lists of 30, mmr of author, per list",
        "median ms": np.median(milliseconds),
        "p95 ms": milliseconds.max(),
    }


def _request(random: np.random.Generator) -> Request:
    features = {
        "author": np.array([f"author {i}" for i in random.zipf(1.3, CANDIDATES) % 60], dtype=object),
        "genre": random.integers(0, 12, CANDIDATES),
        "tags": np.array([[f"tag {i}" for i in random.integers(0, 40, 4)] for _ in range(CANDIDATES)], dtype=object),
        "vector": random.normal(size=(CANDIDATES, 32)),
        "price": random.lognormal(size=CANDIDATES),
        "age": random.exponential(size=CANDIDATES),
        "is_new": (random.random(CANDIDATES) < 0.05).astype(np.float64),
    }
    candidates = Candidates.of(("click",), np.zeros((CANDIDATES, 1)), features=features)
    readable = Readable(("click",), ("is_new",), {**KINDS, "age": "number"})
    return Request(readable, candidates, np.arange(CANDIDATES), np.sort(random.random(CANDIDATES))[::-1])


def _timed(run: Callable[[], object], runs: int) -> NDArray[np.float64]:
    """Milliseconds of each run, after a tenth as many that do not count."""
    found = []
    for number in range(runs + runs // 10):
        start = time.perf_counter()
        run()
        if number >= runs // 10:
            found.append(1e3 * (time.perf_counter() - start))
    return np.array(found)


def _plan(step: Mapping[str, Any] | None) -> Plan:
    options = FusionOptions.model_validate({"rerank": {} if step is None else {"step": step}})
    return build_plan(options, {"click": "binary"}, compared=KINDS)


def _trade_off(lists: int, seed: int) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = lists * EACH
    requests = Requests.of(np.arange(rows) // EACH)
    genre = random.integers(0, 12, rows)
    vector = random.normal(size=(12, 16))[genre] + random.normal(0, 0.5, (rows, 16))
    liked = np.zeros((lists, 12), dtype=bool)
    for one in liked:
        one[random.permutation(12)[:3]] = True
    odds = -2 + 1.5 * liked[requests.codes, genre] + random.normal(size=rows)
    true, scores = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-odds - random.normal(0, 0.5, rows)))
    label = (random.random(rows) < true).astype(np.float64)
    groups, known = Groups(requests.codes), np.ones(rows, dtype=bool)
    measures = {
        f"NDCG@{TOP}": ("ndcg", Relevance(label, known)),
        f"vector distance@{TOP}": ("intra_list_distance", Relevance.of_items(vector)),
        f"genre distance@{TOP}": ("intra_list_distance", Relevance.of_items(genre)),
    }
    prepared = {
        name: RANKING_METRICS[of].prepared(groups, relevance, TOP) for name, (of, relevance) in measures.items()
    }
    features = {"genre": genre, "vector": vector}
    for name, step in TRIED.items():
        plan = _plan(step)
        keys = plan.rank(Candidates.of(plan.objectives, scores[:, None], requests, features)).sort_keys()
        ranking = groups.ranking(keys)
        found = {of: one.measured(keys, ranking).statistic(np.ones(lists)) for of, one in prepared.items()}
        yield {"re-ranking": name, **found, f"expected clicks@{TOP}": _clicks(true, genre, ranking.first(TOP))}


def _clicks(true: Any, genre: Any, first: Any) -> float:
    """Expected clicks in the first places, when interest in a genre fades with each candidate of it."""
    genres, total = genre[first], 0.0
    for place in range(first.shape[1]):
        seen = (genres[:, :place] == genres[:, place : place + 1]).sum(axis=1)
        total += float((true[first[:, place]] * FADES**seen).mean())
    return total


if __name__ == "__main__":
    typer.run(main)
