"""What exploration costs and shows on the validation rows: without it, as configured, and with less and more of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ranker.fusion import Floats, Plan, Ranked
from ranker.fusion.exploration import Exploration, propensities
from ranker.fusion.explored import explored
from ranker.fusion.reranking import PLACES
from ranker.schema import Schema
from training.export.report_data import ReportData
from training.reports import Page
from training.reports.artifact.reranking import REQUESTS, ndcg_by_task

WITHOUT, CONFIGURED = "without exploration", "as configured"
FACTORS = (0.25, 0.5, 2.0, 4.0)
"""Multiples of the configured value of an exploration's first parameter that are tried, within its bounds."""
RARE = 0.01
"""Share of drawn places whose propensity is lower than the one in the table."""


@dataclass(frozen=True)
class Setting:
    """A fusion with one setting of its exploration, drawn once for each list, in the first places.

    Attributes
    ----------
    fusion, name
        The fusion, and the setting.
    ndcg
        NDCG by task; tasks with no label above 0 or one below are left out.
    moved, move
        Share of places with another candidate than before exploration, and mean places by which candidates moved.
    rare
        Propensity below which the rarest drawn places are, and 1 without exploration.
    unchanged
        Mean probability that a list is as before exploration.
    """

    fusion: str
    name: str
    ndcg: Mapping[str, float]
    moved: float
    move: float
    rare: float
    unchanged: float


def settings(schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> list[Setting]:
    """Measure every fusion that explores in all settings."""
    assert data.rows.groups is not None
    rows = np.flatnonzero(np.unique(data.rows.groups, return_inverse=True)[1] < REQUESTS)
    found = []
    for fusion, plan in plans.items():
        if plan.options.explore is None or not len(rows):
            continue
        candidates = data.candidates(plan, rows.tolist())
        codes, ranked = candidates.requests.codes, plan.rank(candidates)
        lists = [np.flatnonzero(codes == code) for code in range(candidates.requests.count)]
        for name, exploration in _varied(plan.options.explore):
            keys = np.empty(len(rows))
            drawn = [_drawn(exploration, ranked.taken(members), str(n)) for n, members in enumerate(lists)]
            for members, one in zip(lists, drawn, strict=True):
                keys[members] = one.keys
            moves = np.abs(np.concatenate([one.moves for one in drawn]))
            found.append(
                Setting(
                    fusion,
                    name,
                    ndcg=dict(ndcg_by_task(schema, data, keys, codes, rows)),
                    moved=float((moves > 0).mean()) if len(moves) else 0.0,
                    move=float(moves.mean()) if len(moves) else 0.0,
                    rare=float(np.quantile(np.concatenate([[1.0], *(one.propensity for one in drawn)]), RARE)),
                    unchanged=float(np.mean([one.unchanged for one in drawn])),
                )
            )
    return found


def add_exploration(page: Page, schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> None:
    """Add what exploration costs, if a fusion explores."""
    tried = settings(schema, plans, data)
    if not tried:
        return
    page.heading("Exploration").text(
        f"The first {PLACES} places of at most {REQUESTS} requests of the validation rows, drawn once: without "
        "exploration, as configured, and with less and more of it. An estimate of another fusion divides by "
        "propensities, so it is the noisier the lower the rarest ones are."
    )
    page.note("All other parts of this report show rankings without exploration.")
    tasks = list(tried[0].ndcg)
    page.table(
        [
            *("fusion", "setting", *(f"{task} NDCG@{PLACES}" for task in tasks), "places that change"),
            *("mean move", f"propensity of the rarest {RARE:.0%}", "probability of the list without it"),
        ],
        [
            [
                *(one.fusion, one.name, *(f"{one.ndcg[task]:.4f}" for task in tasks), f"{one.moved:.1%}"),
                *(f"{one.move:.2f}", f"{one.rare:.2g}", f"{one.unchanged:.2g}"),
            ]
            for one in tried
        ],
    )


@dataclass(frozen=True)
class _Drawn:
    """One list: keys [N] that order it, and of its first places the moves, propensities, and the chance of no draw."""

    keys: Floats
    moves: np.ndarray
    propensity: Floats
    unchanged: float


def _drawn(exploration: Exploration | None, before: Ranked, seed: str) -> _Drawn:
    ranked = before if exploration is None else explored(exploration, before, seed)
    order = ranked.order()
    keys = np.full(len(ranked.fused), -np.inf)
    keys[order] = -np.arange(len(order), dtype=np.float64)
    first = order[:PLACES]
    places, propensity = ranked.drawn(first)
    if exploration is None or places is None or propensity is None:
        return _Drawn(keys, np.zeros(len(first)), np.ones(len(first)), 1.0)
    tiers = before.tiers[before.order()]
    fused = before.fused[before.order()][tiers == tiers[:1]] if len(tiers) else before.fused[:0]
    unchanged = float(np.prod(propensities(exploration, fused, np.arange(len(fused[:PLACES])))))
    return _Drawn(keys, places - np.arange(1, len(first) + 1), propensity, unchanged)


def _varied(exploration: Exploration) -> Iterator[tuple[str, Exploration | None]]:
    """Settings: name, and the exploration."""
    yield WITHOUT, None
    yield CONFIGURED, exploration
    own = exploration.parameters[0]
    configured = getattr(exploration, own.name)
    values = [round(configured * factor) if own.integer else configured * factor for factor in FACTORS]
    for value in dict.fromkeys(values):
        if own.low <= value <= own.high and value != configured:
            yield f"{own.name} = {value:g}", exploration.replaced({own.name: value})
