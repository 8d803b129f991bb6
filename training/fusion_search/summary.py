"""The result of a search: the best parameters, their gain on both halves of the rows, and sensitivity to each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.pareto_front import non_dominated
from training.fusion_search.confidence import OBJECTIVE, gains
from training.fusion_search.loop import History
from training.fusion_search.measurer import Measurer
from training.fusion_search.objective import Goal
from training.fusion_search.space import Sets, Space

Floats = NDArray[np.float64]

STEPS = 21
MOST_DRAWN = 2000


@dataclass(frozen=True)
class Gain:
    """A metric or the objective, with the current (``today``) and best parameters, and the gain's interval."""

    today: float
    best: float
    low: float
    high: float


@dataclass(frozen=True)
class Half:
    """Results on one half of the rows: gains by metric, the objective's first."""

    rows: int
    groups: int
    gains: Mapping[str, Gain]


@dataclass(frozen=True)
class Curve:
    """The objective along one parameter, the others at their best values; NaN if a constraint is violated."""

    parameter: str
    today: float
    best: float
    low: float
    high: float
    values: Sequence[float]
    objective: Sequence[float]


@dataclass(frozen=True)
class SearchResult:
    """The complete result of a search."""

    goal: str
    constraints: Sequence[str]
    method: str
    tried: int
    formula: str
    parameters: Mapping[str, Any]
    rerank: Mapping[str, Mapping[str, float]]
    """Parameters of the re-ranking steps, by step."""
    moved: bool
    search: Half
    held_out: Half
    broken: Sequence[str]
    """Constraints that the best parameters violate on the held-out rows."""
    curves: Sequence[Curve]
    path: Sequence[Mapping[str, float]]
    """Per set tried, in order: its number, its objective, the best so far."""
    front: Sequence[Mapping[str, Any]]
    """Per set drawn: the terms, and its standing on the front."""

    @property
    def doubts(self) -> list[str]:
        """Reasons not to serve the best parameters, one sentence each."""
        reasons = [f"on the held-out rows the best parameters violate {constraint}" for constraint in self.broken]
        if not self.moved:
            reasons.append("no parameter set improves on the current parameters")
        elif self.held_out.gains[OBJECTIVE].low <= 0:
            reasons.append("the gain on the held-out rows is within noise: use more rows, or search fewer parameters")
        return reasons

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Evaluators:
    """Evaluators of the current and of the searched fusion, on one half of the rows."""

    baseline: Measurer
    searched: Measurer

    @property
    def present(self) -> tuple[Measurer, Sets]:
        """The current fusion's evaluator and parameters."""
        return self.baseline, {name: values[None] for name, values in self.baseline.plan.fusion.arrays.items()}


def summarise(
    goal: Goal[Any],
    method: str,
    space: Space,
    history: History,
    searching: Evaluators,
    held_out: Evaluators,
    resamples: int,
    seed: int,
) -> SearchResult:
    """Evaluate the best set; the only place that uses the held-out rows."""
    baseline = searching.baseline.baseline()
    best, one = history.points[history.best], space.sets(history.points[history.best : history.best + 1])
    halves = [_half(goal, half, one, resamples, seed) for half in (searching, held_out)]
    elsewhere = held_out.searched(one)[0]
    present = held_out.baseline.baseline()
    broken = [
        constraint.text
        for constraint in goal.constraints
        if Goal(goal.weights, goal.terms, (constraint,)).violation(
            _part(goal, constraint.metric.name, elsewhere), _part(goal, constraint.metric.name, present)
        )
        > 0
    ]
    found, present_plan = space.at(best), searching.baseline.plan
    return SearchResult(
        goal=goal.text,
        constraints=[constraint.text for constraint in goal.constraints],
        method=method,
        tried=len(history.points),
        formula=found.fusion.name,
        parameters=found.fusion.values,
        rerank={name: step.numbers for name, step in found.options.rerank.items()},
        moved=(found.fusion.values, found.options.rerank) != (present_plan.fusion.values, present_plan.options.rerank),
        search=halves[0],
        held_out=halves[1],
        broken=broken,
        curves=_curves(goal, space, best, searching.searched, baseline),
        path=_path(goal, history),
        front=_front(goal, history, baseline),
    )


def _part(goal: Goal[Any], name: str, measured: Floats) -> Floats:
    """Metrics in the order of a goal with one constraint: the terms, then the constraint's unless it is a term."""
    names = [metric.name for metric in goal.metrics]
    terms = measured[: len(goal.terms)]
    return terms if name in names[: len(goal.terms)] else np.append(terms, measured[names.index(name)])


def _half(goal: Goal[Any], half: Evaluators, one: Sets, resamples: int, seed: int) -> Half:
    baseline, best = half.baseline.baseline(), half.searched(one)[0]
    spans = gains(goal, half.present, (half.searched, one), resamples, seed)
    values = {OBJECTIVE: (float(goal.objective(baseline)), float(goal.objective(best)))}
    values |= {metric.name: (float(baseline[i]), float(best[i])) for i, metric in enumerate(goal.metrics)}
    return Half(
        rows=half.searched.row_count,
        groups=half.searched.group_count,
        gains={name: Gain(*pair, *spans[name]) for name, pair in values.items()},
    )


def _curves(goal: Goal[Any], space: Space, best: Floats, evaluator: Measurer, baseline: Floats) -> list[Curve]:
    curves = []
    for i, dimension in enumerate(space.dimensions):
        points = np.repeat(best[None], STEPS, axis=0)
        points[:, i] = np.linspace(0.0, 1.0, STEPS)
        measured = evaluator(space.sets(points))
        feasible = goal.violation(measured, baseline) == 0
        curves.append(
            Curve(
                parameter=dimension.name,
                today=dimension.today,
                best=float(space.values(best)[i]),
                low=dimension.low,
                high=dimension.high,
                values=space.values(points)[:, i].tolist(),
                objective=np.where(feasible, goal.objective(measured), np.nan).tolist(),
            )
        )
    return curves


def _path(goal: Goal[Any], history: History) -> list[dict[str, float]]:
    objective = goal.objective(history.measured)
    leaders = np.maximum.accumulate(history.fitness)
    reached = np.array(
        [objective[np.flatnonzero(history.fitness[: i + 1] == leader)[0]] for i, leader in enumerate(leaders)]
    )
    return [
        {"set": i + 1, "objective": float(objective[i]), "best so far": float(reached[i])}
        for i in range(len(history.points))
    ]


def _front(goal: Goal[Any], history: History, baseline: Floats) -> list[dict[str, Any]]:
    """At most ``MOST_DRAWN`` sets: the front first, then the latest."""
    terms = goal.front(history.measured, baseline)
    allowed = np.isfinite(terms).all(axis=1)
    rows = np.flatnonzero(allowed)
    for part in (*np.array_split(rows, -(-len(rows) // 1000) or 1), None):  # first within parts, then overall
        kept = rows if part is None else part
        lost = kept[~non_dominated(terms[kept])]
        rows = np.setdiff1d(rows, lost)
    on_front = np.isin(np.arange(len(terms)), rows)
    order = np.lexsort((-np.arange(len(terms)), ~on_front))[:MOST_DRAWN]
    lines = []
    for i in order:
        standing = "picked" if i == history.best else "on the front" if on_front[i] else "dominated"
        values = {metric.title: float(history.measured[i, j]) for j, metric in enumerate(goal.terms)}
        lines.append({"setting": f"set {i + 1}", "standing": standing, **values})
    return lines
