"""Bounds of ``ranker-train promote``: how far a new version may fall behind the one that it replaces."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ranker.config.closed import Closed
from ranker.config.file import ConfigError, check_data, read
from ranker.fusion import DEFAULT
from ranker.metrics import METRICS, RANKING_METRICS, metrics_of
from ranker.registry import alternatives
from ranker.tasks import Task
from training.config.metric_names import METRIC, Metric, metric_of

LimitName: TypeAlias = Literal["least", "within", "most"]
LATENCY = "latency_ms"
"""Measure of a call's time, of the version and not of an objective."""
TOP = 10
LIMITS: Mapping[Literal["more", "less"] | None, tuple[LimitName, ...]] = {
    "more": ("least",),
    "less": ("least", "most"),
    None: ("least", "within"),
}
"""Limits that a measure can have, by its better direction; ``None``: a ratio that is best at 1."""


class Bound(Closed):
    """Limits of one measure."""

    least: float | None = Field(
        None,
        description="Lowest acceptable gain: new minus old, or old minus new where less is better; of calibration, how "
        "much nearer to 1 the new version's is. Negative: a loss that is acceptable.",
    )
    within: float | None = Field(
        None, gt=0, description="Largest distance from 1 of the new version's mean prediction / mean label."
    )
    most: float | None = Field(
        None, gt=0, description="Largest ratio of new to old, of a measure where less is better and of `latency_ms`."
    )
    certain: bool = Field(
        False,
        description="false: refuse if the data shows that the bound is broken. true: refuse unless the data shows that "
        "it is met.",
    )

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if not list(self.limits()):
            raise ValueError("set least, within or most")
        return self

    def limits(self) -> Iterator[tuple[LimitName, float]]:
        """The limits that are set."""
        values: dict[LimitName, float | None] = {"least": self.least, "within": self.within, "most": self.most}
        yield from ((name, value) for name, value in values.items() if value is not None)


Bounds: TypeAlias = Mapping[str, Bound]
"""Bounds by measure: ``click.auc``, ``fused(default).ndcg@10(click)``, ``latency_ms``."""
BoundsByName: TypeAlias = dict[Annotated[str, Field(min_length=1)], Bound]
"""The same as a section of a config."""


class _File(Closed):
    promotion: BoundsByName


def load_bounds(path: Path) -> Bounds:
    """Read a YAML file with the section ``promotion`` alone. Raises ``ConfigError`` naming each mistake by its line."""
    return read(path, _File).promotion


def bounds_of(content: Mapping[str, object]) -> Bounds:
    """Check bounds given as a mapping. Raises ``ConfigError``."""
    return check_data({"promotion": dict(content)}, _File).promotion


def ndcg_of(task: str) -> Metric:
    """NDCG of the default fusion's rankings, with an objective's label as the gain."""
    return Metric(task, "ndcg", TOP, fusion=DEFAULT)


def directions(tasks: Mapping[str, Task]) -> dict[str, Literal["more", "less"] | None]:
    """Measures of these objectives and their better direction, without the rankings that only bounds name."""
    found: dict[str, Literal["more", "less"] | None] = {}
    for name, task in tasks.items():
        found |= {f"{name}.{metric.name}": metric.better for metric in metrics_of(task) if metric.interval}
        found[ndcg_of(name).name] = "more"
    return {**found, LATENCY: "less"}


def rankings(measures: Collection[str], tasks: Mapping[str, Task]) -> list[Metric]:
    """NDCG@10 of each objective, and other measures of the default fusion's rankings that ``measures`` name."""
    named = [_ranking(measure, tasks) for measure in measures if measure.startswith("fused(")]
    return list(dict.fromkeys([*map(ndcg_of, tasks), *named]))


def measurable(measure: str, tasks: Mapping[str, Task]) -> bool:
    """Whether these objectives have a measure of this name."""
    try:
        _direction(measure, tasks)
    except ValueError:
        return False
    return True


def check_bounds(bounds: Bounds, tasks: Mapping[str, Task]) -> None:
    """Raise ``ValueError`` for a measure that these objectives do not have, or a limit that it cannot have."""
    for measure, bound in bounds.items():
        possible = ("most",) if measure == LATENCY else LIMITS[_direction(measure, tasks)]
        for limit, _ in bound.limits():
            if limit not in possible:
                raise ValueError(f"promotion.{measure}.{limit}: this measure takes {' or '.join(possible)}")


def _direction(measure: str, tasks: Mapping[str, Task]) -> Literal["more", "less"] | None:
    """The better direction of a measure. Raises ``ValueError`` for an unknown one."""
    known = directions(tasks)
    if measure in known:
        return known[measure]
    if measure.startswith("fused("):
        _ranking(measure, tasks)
        return "more"
    found, hint = re.fullmatch(METRIC, measure), alternatives(measure, known)
    if found and found["word"] in tasks and found["of"] is None and found["kind"] in RANKING_METRICS:
        hint = f"; write fused({DEFAULT}).{measure.partition('.')[2]}({found['word']}) for the default fusion's ranking"
    raise ValueError(f"promotion.{measure}: no such measure{hint}")


def _ranking(measure: str, tasks: Mapping[str, Task]) -> Metric:
    """A measure of the default fusion's rankings within lists. Raises ``ValueError``."""
    option, found = f"promotion.{measure}", re.fullmatch(METRIC, measure)
    if found is None:
        raise ValueError(f"{option}: cannot be read; write names such as {ndcg_of(next(iter(tasks))).name}")
    metric = metric_of(option, found, tasks, [DEFAULT])
    if metric.column not in tasks:
        raise ValueError(
            f"{option}: no such measure; {metric.column!r} is no objective{alternatives(metric.column, tasks)}"
        )
    if metric.definition.of_lists is None:
        raise ValueError(f"{option}: is not measured within lists; write gauc")
    if metric.name != measure:
        raise ValueError(f"{option}: write {metric.name}")
    return metric


def require_bounds(bounds: Bounds, tasks: Mapping[str, Task]) -> None:
    """Raise ``ConfigError`` where :func:`check_bounds` raises."""
    try:
        check_bounds(bounds, tasks)
    except ValueError as error:
        raise ConfigError(f"{error}; only objectives of both versions can be compared") from None


_MAIN = {"more": Bound(least=-0.002), "less": Bound(most=1.01)}
"""Of the metric that each task kind is judged by."""


def default_bounds(tasks: Mapping[str, Task]) -> Bounds:
    """Bounds of a promotion without any in the config: losses that retraining alone can cause are accepted."""
    found: dict[str, Bound] = {}
    for name, task in tasks.items():
        main = METRICS[task.default_metric]
        if main.better is not None:
            found[f"{name}.{main.name}"] = _MAIN[main.better]
        if METRICS["calibration"].fits(task):
            found[f"{name}.calibration"] = Bound(least=-0.05)
        found[ndcg_of(name).name] = Bound(least=-0.005)
    return {**found, LATENCY: Bound(most=1.2)}
