"""What a fusion's parameters do to every objective: how well the fused score orders each label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Floats, Parameter, Plan
from ranker.metrics import METRICS, auc
from ranker.schema import Schema
from training.evaluation.pareto_front import non_dominated
from training.export.report_data import Kept

SETS = 150
SPREAD = 0.9
WIDE = 20.0


@dataclass(frozen=True)
class Point:
    """A parameter set, how well it orders each objective's label, and whether any other beats it in all."""

    name: str
    quality: dict[str, float]
    standing: str


def measures(schema: Schema) -> dict[str, str]:
    """What is measured of each task: how well the fused score orders its label."""
    return {
        name: f"{name} {METRICS['auc'].title if METRICS['auc'].fits(task) else 'rank correlation'}"
        for name, task in schema.tasks.items()
    }


def points(schema: Schema, plans: Mapping[str, Plan], kept: Kept, chosen: str, sets: int = SETS) -> list[Point]:
    """Random parameters around those of the plan ``chosen``, and every plan as it is, the chosen one picked."""
    plan = plans[chosen]
    named = {name: _fused(other, kept, None)[0] for name, other in plans.items()}
    varied = _fused(plan, kept, drawn(plan, sets)) if plan.fusion.formula.parameters else []
    fused = [*named.values(), *varied]
    names = [*(f"fusion {name}" for name in plans), *(f"set {i + 1}" for i in range(len(varied)))]
    found = [quality(schema, kept, scores) for scores in fused]
    objectives = [name for name in measures(schema).values() if all(name in one for one in found)]
    on_front = non_dominated(np.array([[one[name] for name in objectives] for one in found]))
    picked = list(plans).index(chosen)
    return [
        Point(
            name,
            {o: one[o] for o in objectives},
            "picked" if i == picked else "on the front" if front else "dominated",
        )
        for i, (name, one, front) in enumerate(zip(names, found, on_front.tolist(), strict=True))
    ]


def drawn(plan: Plan, sets: int, seed: int = 0) -> dict[str, Floats]:
    """Parameter sets [P, T] or [P] around the plan's: each objective stronger or weaker, in about equal measure.

    Where a formula says which parameter is an objective's strength, that one is multiplied by a log-normal number and
    the others stay; otherwise all move over their bounds.
    """
    random = np.random.default_rng(seed)
    formula, arrays = plan.fusion.formula, plan.fusion.arrays
    found = {}
    for parameter in formula.parameters:
        value = arrays[parameter.name]
        shape = (sets, *value.shape)
        if formula.direction is None:
            found[parameter.name] = _within(parameter, shape, random)
        elif parameter.name == formula.direction:
            factor = np.exp(random.normal(0.0, SPREAD, shape))
            found[parameter.name] = np.clip(value * factor, parameter.low, parameter.high)
        else:
            found[parameter.name] = np.broadcast_to(value, shape).copy()
    return found


def _within(parameter: Parameter, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Numbers all over the bounds; of wide ones, small numbers as often as large ones, and of either sign."""
    low, high = parameter.low, parameter.high
    if high - low <= WIDE:
        values = random.uniform(low, high, shape)
    else:
        sizes = np.exp(random.uniform(np.log(0.01), np.log(WIDE / 2), shape))
        values = np.clip(sizes * random.choice([-1.0, 1.0], shape), low, high)
    return np.round(values) if parameter.integer else values


def quality(schema: Schema, kept: Kept, fused: Floats) -> dict[str, float]:
    """AUC of a fused score [N] for each binary label, and its rank correlation with each amount.

    Labels that are all alike have none.
    """
    from scipy.stats import rankdata  # here: its import takes longer than a small report

    found = {}
    for i, (task, measure) in enumerate(measures(schema).items()):
        rows = kept.rows.known[:, i]
        labels, ranks = kept.rows.labels[rows, i].astype(np.float64), rankdata(fused[rows])
        if not len(labels) or labels.min() == labels.max():
            continue
        if METRICS["auc"].fits(schema.tasks[task]):
            found[measure] = auc(labels, ranks)
        else:
            found[measure] = _correlation(rankdata(labels), ranks)
    return found


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    if np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _fused(plan: Plan, kept: Kept, sets: Mapping[str, Floats] | None) -> list[Floats]:
    """Order [N] of the rows, larger is better, under each parameter set, rules included; None for the plan's own."""
    from scipy.stats import rankdata

    calibrated = plan.calibrated(kept.candidates(plan))
    prepared, formula = plan.prepare(calibrated), plan.fusion.formula
    blocks = [formula.combine(prepared, plan.fusion.arrays)[None]] if sets is None else None
    found = []
    for block in blocks or (fused for _, fused in formula.sweep(prepared, sets or {})):
        for fused in block:
            ranked = plan.finish(calibrated, fused)
            below = ranked.last | ranked.dropped
            order = rankdata(ranked.fused)
            found.append(np.where(below, order - len(order), order))
    return found
