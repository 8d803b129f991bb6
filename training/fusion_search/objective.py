"""Objective and constraints of a search, parsed from text: metrics of the fused ranking."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.metrics import RANKING_METRICS
from ranker.registry import suggestion
from ranker.schema import Schema
from training.config.experiment import ConfigError

Values = NDArray[np.float64]

_METRIC = r"(?P<column>[A-Za-z_]\w*)\.(?P<kind>[a-z]+)(?:@(?P<k>\d+))?"
_TERM = re.compile(rf"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)\s*\*\s*)?{_METRIC}\s*")
_CONSTRAINT = re.compile(
    rf"\s*{_METRIC}\s*>=\s*(?:(?P<today>today)\s*(?:(?P<sign>[+-])\s*(?P<change>[\d.]+))?|(?P<least>-?[\d.]+))\s*"
)


@dataclass(frozen=True)
class Metric:
    """A metric of the fused ranking against a column: a task's label, or another column of the log."""

    column: str
    kind: str
    k: int | None = None

    @property
    def name(self) -> str:
        """Name on the command line: ``click.auc``, ``watch_time.ndcg@10``."""
        return f"{self.column}.{self.kind}{self._cutoff}"

    @property
    def title(self) -> str:
        """Display name: ``click AUC``, ``watch_time NDCG@10``."""
        return f"{self.column} {RANKING_METRICS[self.kind].title}{self._cutoff}"

    @property
    def _cutoff(self) -> str:
        return "" if self.k is None else f"@{self.k}"


@dataclass(frozen=True)
class Constraint:
    """A metric that must be at least ``least``, or if ``relative``, at least its current value plus ``least``."""

    metric: Metric
    least: float
    relative: bool

    @property
    def text(self) -> str:
        """Text on the command line."""
        change = "" if not self.least else f" {'+' if self.least > 0 else '-'} {abs(self.least):g}"
        return f"{self.metric.name} >= " + (f"today{change}" if self.relative else f"{self.least:g}")


@dataclass(frozen=True)
class Goal:
    """A weighted sum of metrics to maximise under constraints."""

    weights: tuple[float, ...]
    terms: tuple[Metric, ...]
    constraints: tuple[Constraint, ...] = ()

    @property
    def text(self) -> str:
        """Text on the command line."""
        pairs = zip(self.weights, self.terms, strict=True)
        return " + ".join(m.name if w == 1 else f"{w:g}*{m.name}" for w, m in pairs).replace("+ -", "- ")

    @property
    def metrics(self) -> tuple[Metric, ...]:
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


def parse_goal(text: str, constraints: Sequence[str], schema: Schema) -> Goal:
    """Parse ``click.auc + 2*like.auc`` and ``like.auc >= today - 0.001``. Raises ``ConfigError``."""
    weights: list[float] = []
    terms: list[Metric] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (terms and not found["sign"]):
            raise ConfigError(
                f"--maximise {text!r}: cannot read {text[at:].strip()!r}; write a sum such as click.auc + 2*like.gauc"
            )
        metric = _metric("--maximise", found, schema)
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
    return Goal(tuple(weights), tuple(terms), tuple(_constraint(one, schema) for one in constraints))


def _constraint(text: str, schema: Schema) -> Constraint:
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
    metric = _metric("--require", found, schema)
    return Constraint(metric, -least if found["sign"] == "-" else least, relative=found["today"] is not None)


def _metric(option: str, found: "re.Match[str]", schema: Schema) -> Metric:
    column, kind = found["column"], found["kind"]
    task = schema.tasks.get(column)
    traits = task.traits if task is not None else frozenset()
    fitting = [name for name, metric in RANKING_METRICS.items() if metric.needs <= traits]
    name = f"{column}.{kind}"
    if kind not in fitting:
        hint = suggestion(kind, fitting)
        if kind in RANKING_METRICS and task is None:
            hint = suggestion(column, schema.tasks) or f"; {column!r} is not a binary task"
        of = f"a {task.kind} task" if task is not None else f"the column {column!r}"
        raise ConfigError(f"{option}: no metric {name!r}{hint} (of {of}: {', '.join(fitting)})")
    if RANKING_METRICS[kind].at_k and not found["k"]:
        raise ConfigError(f"{option} {name}: needs a cutoff k, for example {name}@10")
    if not RANKING_METRICS[kind].at_k and found["k"]:
        raise ConfigError(f"{option} {name}@{found['k']}: an AUC takes no cutoff; write {name}")
    if found["k"] and not int(found["k"]):
        raise ConfigError(f"{option} {name}@0: the cutoff must be at least 1")
    return Metric(column, kind, int(found["k"]) if found["k"] else None)
