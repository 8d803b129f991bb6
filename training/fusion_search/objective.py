"""Objective and constraints of a search, parsed from text: metrics of the fused ranking."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import DEFAULT
from ranker.metrics import RANKING_METRICS
from ranker.schema import Schema, Task
from training.config.experiment import ConfigError
from training.config.metric_names import METRIC, Metric, metric_of

Values = NDArray[np.float64]

_TERM = re.compile(rf"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*\*\s*)?{METRIC}\s*")
_CONSTRAINT = re.compile(
    rf"\s*{METRIC}\s*>=\s*(?:(?P<today>today)\s*(?:(?P<sign>[+-])\s*(?P<change>[\d.]+))?|(?P<least>-?[\d.]+))\s*"
)


class Term(Protocol):
    """Something that is measured of a ranking, and equal to another one of the same name."""

    @property
    def name(self) -> str:
        """Name on the command line."""
        ...

    @property
    def title(self) -> str:
        """Display name."""
        ...


T = TypeVar("T", bound=Term)


@dataclass(frozen=True)
class Constraint(Generic[T]):
    """A metric that must be at least ``least``, or if ``relative``, at least its current value plus ``least``."""

    metric: T
    least: float
    relative: bool

    @property
    def text(self) -> str:
        """Text on the command line."""
        change = "" if not self.least else f" {'+' if self.least > 0 else '-'} {abs(self.least):g}"
        return f"{self.metric.name} >= " + (f"today{change}" if self.relative else f"{self.least:g}")


@dataclass(frozen=True)
class Goal(Generic[T]):
    """A weighted sum of metrics to maximise under constraints."""

    weights: tuple[float, ...]
    terms: tuple[T, ...]
    constraints: tuple[Constraint[T], ...] = ()

    @property
    def text(self) -> str:
        """Text on the command line."""
        pairs = zip(self.weights, self.terms, strict=True)
        return " + ".join(m.name if w == 1 else f"{w:g}*{m.name}" for w, m in pairs).replace("+ -", "- ")

    @property
    def metrics(self) -> tuple[T, ...]:
        """All M metrics to compute, those of the terms first."""
        return tuple(dict.fromkeys([*self.terms, *(constraint.metric for constraint in self.constraints)]))

    def objective(self, measured: Values) -> Values:
        """The weighted sum [...] of measured metrics [..., M]."""
        return np.asarray(measured[..., : len(self.terms)] @ np.array(self.weights))

    def violation(self, measured: Values, baseline: Values) -> Values:
        """Total constraint violation [...] of metrics [..., M], 0 if all hold; ``baseline`` are current metrics [M]."""
        total = np.zeros(measured.shape[:-1])
        for constraint in self.constraints:
            i = self.metrics.index(constraint.metric)
            least = constraint.least + (baseline[i] if constraint.relative else 0.0)
            # The tolerance covers rounding between two evaluations of the current parameters.
            total = total + np.maximum(least - measured[..., i] - 1e-12, 0.0)
        return total

    def fitness(self, measured: Values, baseline: Values) -> Values:
        """Values [n] that the search maximises: the objective, or far below it, ordered by violation, if infeasible.

        Deb 2000, "An efficient constraint handling method for genetic algorithms".
        """
        violation = self.violation(measured, baseline)
        return np.where(violation > 0, -1e6 * (1.0 + violation), self.objective(measured))

    def front(self, measured: Values, baseline: Values) -> Values:
        """Terms of the Pareto front [n, terms], signed so that higher is better; minus infinity for violations."""
        gains = measured[..., : len(self.terms)] * np.sign(self.weights)
        return np.where((self.violation(measured, baseline) > 0)[..., None], -np.inf, gains)


def default_goal(schema: Schema) -> str:
    """The sum of the binary tasks' AUCs. Raises ``ConfigError`` if there is no binary task."""
    names = [f"{name}.auc" for name, task in schema.tasks.items() if RANKING_METRICS["auc"].needs <= task.traits]
    if not names:
        raise ConfigError("--maximise: there is no binary task with an AUC; name a metric, such as watch_time.ndcg@10")
    return " + ".join(names)


class Asked(NamedTuple):
    """What metrics of a search may name: tasks, the fusion that is searched, names of relevance formulas."""

    tasks: Mapping[str, Task]
    fusion: str
    relevance: Collection[str]


def parse_goal(
    text: str,
    constraints: Sequence[str],
    schema: Schema,
    fusion: str = DEFAULT,
    relevance: Collection[str] = (),
) -> Goal[Metric]:
    """Parse ``click.auc + 2*like.auc`` and ``like.auc >= today - 0.001``.

    ``fusion`` is the one that is searched, ``relevance`` names formulas. Raises ``ConfigError``.
    """
    asked = Asked(schema.tasks, fusion, relevance)
    weights: list[float] = []
    terms: list[Metric] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (terms and not found["sign"]):
            raise ConfigError(
                f"--maximise {text!r}: cannot read {text[at:].strip()!r}; write a sum such as click.auc + 2*like.gauc"
            )
        metric = _metric("--maximise", found, asked)
        if metric in terms:
            raise ConfigError(f"--maximise: {metric.name} is listed twice")
        weight = (-1.0 if found["sign"] == "-" else 1.0) * float(found["weight"] or 1.0)
        if not weight:
            raise ConfigError(f"--maximise: {metric.name} has weight 0; leave it out")
        weights.append(weight)
        terms.append(metric)
        at = found.end()
    if not terms:
        raise ConfigError("--maximise: name at least one metric, such as click.auc")
    return Goal(tuple(weights), tuple(terms), tuple(_constraint(one, asked) for one in constraints))


def _constraint(text: str, asked: Asked) -> Constraint[Metric]:
    found = _CONSTRAINT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        least = float(found["least"] or found["change"] or 0.0)
    except ValueError:
        raise ConfigError(
            f"--require {text!r}: write METRIC >= today, METRIC >= today - 0.001 or METRIC >= 0.7, "
            "for example like.auc >= today"
        ) from None
    metric = _metric("--require", found, asked)
    return Constraint(metric, -least if found["sign"] == "-" else least, relative=found["today"] is not None)


def _metric(option: str, found: "re.Match[str]", asked: Asked) -> Metric:
    """A metric of the fused ranking that is searched: ``click.auc``, or ``fused(NAME).auc(click)`` with its name."""
    metric = metric_of(option, found, asked.tasks, relevance=asked.relevance)
    plain = replace(metric, fusion=None, by=None)
    if metric.by is not None or metric.fusion not in (None, asked.fusion):
        raise ConfigError(
            f"{option}: {metric.name} is not of the ranking that is searched, that by fusion {asked.fusion!r}; "
            f"write {plain.name}"
        )
    return plain
