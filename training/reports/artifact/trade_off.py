"""Trade-offs of a fusion's parameters: how well the fused score orders each objective's label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Floats, Parameter, Plan
from ranker.metrics import METRICS, auc
from ranker.schema import Schema
from training.evaluation.pareto_front import non_dominated
from training.export.report_data import ReportData

SETS = 150
SPREAD = 0.9
WIDE = 20.0


@dataclass(frozen=True)
class Point:
    """A parameter set, its ranking quality per objective, and its standing on the front."""

    name: str
    quality: dict[str, float]
    standing: str


def measures(schema: Schema) -> dict[str, str]:
    """Title of the ranking measure of each task, by task."""
    return {
        name: f"{name} {METRICS['auc'].title if METRICS['auc'].fits(task) else 'rank correlation'}"
        for name, task in schema.tasks.items()
    }


def points(schema: Schema, plans: Mapping[str, Plan], data: ReportData, chosen: str, sets: int = SETS) -> list[Point]:
    """Every plan, with ``chosen`` as the picked one, and random parameter sets around the chosen plan's."""
    plan = plans[chosen]
    named = {name: _fused(other, data, None)[0] for name, other in plans.items()}
    varied = _fused(plan, data, drawn(plan, sets)) if plan.fusion.formula.parameters else []
    fused = [*named.values(), *varied]
    names = [*(f"fusion {name}" for name in plans), *(f"set {i + 1}" for i in range(len(varied)))]
    qualities = [quality(schema, data, scores) for scores in fused]
    objectives = [name for name in measures(schema).values() if all(name in one for one in qualities)]
    on_front = non_dominated(np.array([[one[name] for name in objectives] for one in qualities]))
    picked = list(plans).index(chosen)
    return [
        Point(
            name,
            {o: one[o] for o in objectives},
            "picked" if i == picked else "on the front" if front else "dominated",
        )
        for i, (name, one, front) in enumerate(zip(names, qualities, on_front.tolist(), strict=True))
    ]


def drawn(plan: Plan, sets: int, seed: int = 0) -> dict[str, Floats]:
    """Random parameter sets [P, T] or [P] around the plan's, which strengthen or weaken each objective.

    If the formula names a parameter as an objective's strength (``direction``), it is multiplied by a log-normal factor
    and the others stay fixed; otherwise all are drawn from their bounds.
    """
    random = np.random.default_rng(seed)
    formula, arrays = plan.fusion.formula, plan.fusion.arrays
    sampled = {}
    for parameter in formula.parameters:
        value = arrays[parameter.name]
        shape = (sets, *value.shape)
        if formula.direction is None:
            sampled[parameter.name] = _within(parameter, shape, random)
        elif parameter.name == formula.direction:
            factor = np.exp(random.normal(0.0, SPREAD, shape))
            sampled[parameter.name] = np.clip(value * factor, parameter.low, parameter.high)
        else:
            sampled[parameter.name] = np.broadcast_to(value, shape).copy()
    return sampled


def _within(parameter: Parameter, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Random numbers within the bounds: uniform, or for wide bounds log-uniform with either sign."""
    low, high = parameter.low, parameter.high
    if high - low <= WIDE:
        values = random.uniform(low, high, shape)
    else:
        sizes = np.exp(random.uniform(np.log(0.01), np.log(WIDE / 2), shape))
        values = np.clip(sizes * random.choice([-1.0, 1.0], shape), low, high)
    return np.round(values) if parameter.integer else values


def quality(schema: Schema, data: ReportData, fused: Floats) -> dict[str, float]:
    """AUC of a fused score [N] for each binary label, rank correlation for each amount.

    Objectives whose labels are all equal are left out.
    """
    from scipy.stats import rankdata  # lazy: slow import

    values = {}
    for i, (task, measure) in enumerate(measures(schema).items()):
        rows = data.rows.known[:, i]
        labels, ranks = data.rows.labels[rows, i].astype(np.float64), rankdata(fused[rows])
        if not len(labels) or labels.min() == labels.max():
            continue
        if METRICS["auc"].fits(schema.tasks[task]):
            values[measure] = auc(labels, ranks)
        else:
            values[measure] = _correlation(rankdata(labels), ranks)
    return values


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    if np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _fused(plan: Plan, data: ReportData, sets: Mapping[str, Floats] | None) -> list[Floats]:
    """Ranks [N] of the rows, higher is better, after rules, per parameter set; ``sets`` None uses the plan's own."""
    from scipy.stats import rankdata

    calibrated = plan.calibrated(data.candidates(plan))
    prepared, formula = plan.prepare(calibrated), plan.fusion.formula
    blocks = [formula.combine(prepared, plan.fusion.arrays)[None]] if sets is None else None
    ranks = []
    for block in blocks or (fused for _, fused in formula.sweep(prepared, sets or {})):
        for fused in block:
            ranked = plan.finish(calibrated, fused)
            below = ranked.last | ranked.dropped
            order = rankdata(ranked.fused)
            ranks.append(np.where(below, order - len(order), order))
    return ranks
