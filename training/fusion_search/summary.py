"""What a search found: the best parameters, what they gain on either half of the rows, how much each one matters."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Fusion
from training.evaluation.pareto_front import non_dominated
from training.fusion_search.confidence import OBJECTIVE, gains
from training.fusion_search.evaluator import Evaluator
from training.fusion_search.loop import History
from training.fusion_search.objective import Goal
from training.fusion_search.space import Sets, Space

Floats = NDArray[np.float64]

STEPS = 21
MOST_DRAWN = 2000


@dataclass(frozen=True)
class Gain:
    """A metric, or the objective, under today's parameters and under the best, and the interval of the difference."""

    today: float
    best: float
    low: float
    high: float


@dataclass(frozen=True)
class Half:
    """What is measured on one part of the rows: gains by metric, the objective's first."""

    rows: int
    groups: int
    gains: Mapping[str, Gain]


@dataclass(frozen=True)
class Curve:
    """The objective along one parameter, all others as in the best set; NaN where a constraint is broken."""

    parameter: str
    today: float
    best: float
    low: float
    high: float
    values: Sequence[float]
    objective: Sequence[float]


@dataclass(frozen=True)
class Found:
    """All that a search has to tell."""

    goal: str
    constraints: Sequence[str]
    method: str
    tried: int
    formula: str
    parameters: Mapping[str, Any]
    moved: bool
    search: Half
    held_out: Half
    broken: Sequence[str]
    """Constraints that the best parameters do not keep on the held-out rows."""
    curves: Sequence[Curve]
    path: Sequence[Mapping[str, float]]
    """Of each set tried, in order: its place, its objective, the best so far."""
    front: Sequence[Mapping[str, Any]]
    """Of each set tried: the terms, and whether it is on the front of all, the best, or dominated."""

    @property
    def doubts(self) -> list[str]:
        """Reasons not to serve the best parameters, a sentence each."""
        found = [f"on the held-out rows the best parameters do not keep {constraint}" for constraint in self.broken]
        if not self.moved:
            found.append("no set that was tried is better than today's parameters")
        elif self.held_out.gains[OBJECTIVE].low <= 0:
            found.append("on the held-out rows the gain is not beyond its noise: search more rows, or fewer parameters")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Halves:
    """Evaluators of today's fusion and of the one that is searched, on one part of the rows."""

    today: Evaluator
    searched: Evaluator

    @property
    def present(self) -> tuple[Evaluator, Sets]:
        """Today's fusion with its parameters."""
        return self.today, {name: values[None] for name, values in self.today.plan.fusion.arrays.items()}


def summarise(
    goal: Goal,
    method: str,
    space: Space,
    history: History,
    searching: Halves,
    held_out: Halves,
    resamples: int,
    seed: int,
) -> Found:
    """Measure the best set; held-out rows are looked at here for the first time."""
    today = searching.today.today()
    best, one = history.points[history.best], space.sets(history.points[history.best : history.best + 1])
    halves = [_half(goal, half, one, resamples, seed) for half in (searching, held_out)]
    elsewhere = held_out.searched(one)[0]
    present = held_out.today.today()
    broken = [
        constraint.text
        for constraint in goal.constraints
        if Goal(goal.weights, goal.terms, (constraint,)).violation(
            _part(goal, constraint.metric.name, elsewhere), _part(goal, constraint.metric.name, present)
        )
        > 0
    ]
    fusion: Fusion = space.at(best)
    return Found(
        goal=goal.text,
        constraints=[constraint.text for constraint in goal.constraints],
        method=method,
        tried=len(history.points),
        formula=fusion.name,
        parameters=fusion.values,
        moved=fusion.values != searching.today.plan.fusion.values,
        search=halves[0],
        held_out=halves[1],
        broken=broken,
        curves=_curves(goal, space, best, searching.searched, today),
        path=_path(goal, history),
        front=_front(goal, history, today),
    )


def _part(goal: Goal, name: str, measured: Floats) -> Floats:
    """Metrics as a goal with one constraint orders them: the terms, then the constraint's where it is none of them."""
    names = [metric.name for metric in goal.metrics]
    terms = measured[: len(goal.terms)]
    return terms if name in names[: len(goal.terms)] else np.append(terms, measured[names.index(name)])


def _half(goal: Goal, half: Halves, one: Sets, resamples: int, seed: int) -> Half:
    today, best = half.today.today(), half.searched(one)[0]
    spans = gains(goal, half.present, (half.searched, one), resamples, seed)
    values = {OBJECTIVE: (float(goal.objective(today)), float(goal.objective(best)))}
    values |= {metric.name: (float(today[i]), float(best[i])) for i, metric in enumerate(goal.metrics)}
    rows = half.searched.rows
    return Half(
        rows=len(rows),
        groups=int(rows.groups.max()) + 1,
        gains={name: Gain(*pair, *spans[name]) for name, pair in values.items()},
    )


def _curves(goal: Goal, space: Space, best: Floats, evaluator: Evaluator, today: Floats) -> list[Curve]:
    found = []
    for i, dimension in enumerate(space.dimensions):
        points = np.repeat(best[None], STEPS, axis=0)
        points[:, i] = np.linspace(0.0, 1.0, STEPS)
        measured = evaluator(space.sets(points))
        kept = goal.violation(measured, today) == 0
        found.append(
            Curve(
                parameter=dimension.name,
                today=dimension.today,
                best=float(space.values(best)[i]),
                low=dimension.low,
                high=dimension.high,
                values=space.values(points)[:, i].tolist(),
                objective=np.where(kept, goal.objective(measured), np.nan).tolist(),
            )
        )
    return found


def _path(goal: Goal, history: History) -> list[dict[str, float]]:
    objective = goal.objective(history.measured)
    leaders = np.maximum.accumulate(history.worth)
    reached = np.array(
        [objective[np.flatnonzero(history.worth[: i + 1] == leader)[0]] for i, leader in enumerate(leaders)]
    )
    return [
        {"set": i + 1, "objective": float(objective[i]), "best so far": float(reached[i])}
        for i in range(len(history.points))
    ]


def _front(goal: Goal, history: History, today: Floats) -> list[dict[str, Any]]:
    """At most ``MOST_DRAWN`` sets: those on the front first, then the latest."""
    terms = goal.front(history.measured, today)
    allowed = np.isfinite(terms).all(axis=1)
    rows = np.flatnonzero(allowed)
    for part in (*np.array_split(rows, -(-len(rows) // 1000) or 1), None):  # what a part dominates, the whole does
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
