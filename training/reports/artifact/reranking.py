"""What re-ranking costs and gains on the validation rows: without it, as configured, and along each trade-off."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.fusion import Candidates, Plan
from ranker.fusion.ranked import requests
from ranker.fusion.reranking import PLACES, Cost, cost, rerank
from ranker.fusion.reranking.base import Diversifier
from ranker.metrics import RANKING_METRICS, Groups, Relevance
from ranker.schema import Schema
from training.export.report_data import ReportData
from training.reports import Page, front

REQUESTS = 500
"""Most requests that are re-ranked, from the first."""
BEFORE, CONFIGURED = "before re-ranking", "as configured"
STEPS = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares of a trade-off's range that are tried."""


@dataclass(frozen=True)
class Setting:
    """A fusion with one setting of its re-ranking, measured in the first places of the lists.

    Attributes
    ----------
    fusion, name
        The fusion, and the setting of its steps.
    kind
        ``BEFORE``, ``CONFIGURED``, or the parameter that is varied.
    ndcg
        NDCG by task; tasks with no label above 0 or one below are left out.
    fused, distance
        Mean fused score, and mean distance by the features that steps compare by.
    gave_way
        By constraint, the share of lists in which it does not hold.
    """

    fusion: str
    name: str
    kind: str
    ndcg: Mapping[str, float]
    fused: float
    distance: Mapping[str, float]
    gave_way: Mapping[str, float]


def settings(schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> list[Setting]:
    """Measure every fusion that re-ranks in all settings."""
    assert data.rows.groups is not None
    rows = np.flatnonzero(np.unique(data.rows.groups, return_inverse=True)[1] < REQUESTS)
    found = []
    for fusion, plan in plans.items():
        if plan.options.rerank and len(rows):
            candidates = data.candidates(plan, rows.tolist())
            for name, kind, varied in _varied(plan):
                found.append(_measured(schema, plan, varied, candidates, data, rows, (fusion, name, kind)))
    return found


def add_reranking(page: Page, schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> None:
    """Add the trade-off between relevance and diversity, if a fusion re-ranks."""
    tried = settings(schema, plans, data)
    if not tried:
        return
    page.heading("Re-ranking").text(
        f"NDCG and intra-list distance in the first {PLACES} places of at most {REQUESTS} requests of the validation "
        "rows: before re-ranking, as configured (picked), and along each step's trade-off. Up and to the right is "
        "better."
    )
    page.note("The sliders above, and the fusion trade-offs, show rankings before re-ranking.")
    for fusion in dict.fromkeys(setting.fusion for setting in tried):
        own = [setting for setting in tried if setting.fusion == fusion]
        distances, tasks = list(own[0].distance), list(own[0].ndcg)
        page.heading(fusion, level=3)
        pairs = [(f"distance by {of}", f"{task} NDCG@{PLACES}") for of in distances for task in tasks]
        page.beside([front(_records(own, x, y), x, y, "setting", "kind") for x, y in pairs])
        measures = [*(f"{task} NDCG@{PLACES}" for task in tasks), "fused", *(f"distance by {of}" for of in distances)]
        page.table(
            ["setting", *measures, "lists with a constraint that gave way"],
            [
                [
                    setting.name,
                    *(f"{setting.ndcg[task]:.4f}" for task in tasks),
                    f"{setting.fused:.4g}",
                    *(f"{setting.distance[of]:.3f}" for of in distances),
                    ", ".join(f"{name} {share:.1%}" for name, share in setting.gave_way.items()) or "-",
                ]
                for setting in own
            ],
        )


def _varied(plan: Plan) -> Iterator[tuple[str, str, Plan]]:
    """Settings of a plan's steps: name, kind and plan."""
    yield BEFORE, BEFORE, plan
    yield CONFIGURED, CONFIGURED, plan
    for name, step in plan.options.rerank.items():
        if isinstance(step, Diversifier):
            weight = step.parameters[0]
            for share in STEPS:
                value = round(weight.low + share * (weight.high - weight.low), 3)
                path = f"{name}.{weight.name}"
                yield f"{path} = {value:g}", path, plan.with_rerank({name: {weight.name: value}})


def _measured(
    schema: Schema,
    plan: Plan,
    varied: Plan,
    candidates: Candidates,
    data: ReportData,
    rows: np.ndarray,
    named: tuple[str, str, str],
) -> Setting:
    calibrated = plan.calibrated(candidates)
    fused = plan.fusion.formula.combine(plan.prepare(calibrated), plan.fusion.arrays)
    ranked = plan.finish(calibrated, fused)
    before = named[2] == BEFORE
    keys = (ranked if before else varied.reranked(calibrated, ranked)).sort_keys()
    steps = varied.options.rerank
    costs = [cost(steps, request, rerank(steps, request)) for request in requests(plan.readable, calibrated, ranked)]
    ends = "before" if before else "after"
    distances = [getattr(one, f"distance_{ends}") for one in costs]
    return Setting(
        *named,
        ndcg=dict(ndcg_by_task(schema, data, keys, candidates.requests.codes, rows)),
        fused=float(np.mean([getattr(one, f"fused_{ends}") for one in costs])),
        distance={of: float(np.mean([one[of] for one in distances])) for of in distances[0]} if distances else {},
        gave_way={} if before else _gave_way(costs),
    )


def _gave_way(costs: list[Cost]) -> dict[str, float]:
    names = dict.fromkeys(name for one in costs for name in one.gave_way)
    return {name: sum(name in one.gave_way for one in costs) / len(costs) for name in names}


def ndcg_by_task(
    schema: Schema, data: ReportData, keys: np.ndarray, codes: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[str, float]]:
    """NDCG of the first places by task, for some rows of the sample, their requests [N] and keys that order them [N].

    Tasks with no label above 0 or one below are left out.
    """
    groups = Groups(codes)
    ranking = groups.ranking(keys)
    for i, task in enumerate(schema.tasks):
        known = data.rows.known[rows, i]
        labels = np.where(known, data.rows.labels[rows, i].astype(np.float64), 0.0)
        if labels.min() < 0 or labels.max() <= 0:
            continue
        measured = RANKING_METRICS["ndcg"].prepared(groups, Relevance(labels, known), PLACES).measured(keys, ranking)
        yield task, measured.statistic(np.ones(measured.units))


def _records(own: list[Setting], x: str, y: str) -> list[dict[str, Any]]:
    lines: dict[str, int] = {}
    records: list[dict[str, Any]] = []
    for setting in own:
        values = {f"distance by {of}": value for of, value in setting.distance.items()}
        values |= {f"{task} NDCG@{PLACES}": value for task, value in setting.ndcg.items()}
        along = setting.kind not in (BEFORE, CONFIGURED)
        step = lines[setting.kind] = lines.get(setting.kind, -1) + 1
        records.append(
            {
                "setting": setting.name,
                "kind": setting.kind,
                "standing": "picked" if setting.kind == CONFIGURED else "on the front",
                x: values[x],
                y: values[y],
                "step": step if along else None,
            }
        )
    return records
