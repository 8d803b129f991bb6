"""The interface of a metric of one task's scores: what it needs, which direction is better, how it is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import (
    Floats,
    Statistic,
    checked_groups,
    checked_labels,
    checked_numbers,
    checked_probabilities,
)
from ranker.tasks import Task, Trait


class Sample(NamedTuple):
    """Checked labels and scores [N] of one task, and their groups."""

    labels: Floats
    scores: Floats
    groups: NDArray[np.intp] | None
    """Code of each row's group [N]; ``None`` where rows have no groups."""
    in_group: NDArray[np.bool_]
    """Whether each row belongs to a group [N]; rows that do not have a code as well."""

    @classmethod
    def checked(
        cls, task: Task, labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None, no_group: int | str | None
    ) -> "Sample":
        """Check labels and scores by the task's traits. Raises ``ValueError`` for a bad value, with its row."""
        labels = checked_labels(labels) if task.binary_labels else checked_numbers("labels", labels)
        rows = len(labels)
        scores = checked_probabilities(scores, rows) if task.probability else checked_numbers("scores", scores, rows)
        codes = checked_groups(groups, rows) if groups is not None else None
        in_group = np.ones(rows, dtype=bool)
        if groups is not None and no_group is not None:
            in_group = np.asarray(groups) != no_group
        return cls(labels, scores, codes, in_group)


class Measured(NamedTuple):
    """A metric of a sample, ready to be computed for any weights of its units: rows, or groups of rows."""

    statistic: Statistic
    units: int
    counts: Mapping[str, int] = {}
    """What else a report says, by key."""


@dataclass(frozen=True)
class Metric:
    """A metric of a task's scores against its labels.

    Attributes
    ----------
    name
        In configs, on command lines and in reports.
    title
        For people; no two metrics have the same.
    better
        Whether more or less is better; ``None`` for a ratio that is best at 1, which nothing can be chosen by.
    needs
        Traits that a task must have to be measured so.
    measure
        From a sample to the metric as a function of weights.
    grouped
        Whether it needs groups of rows.
    abbreviation
        Title in a terminal's table, where the whole one is too wide.
    in_terminal
        Whether a terminal's table has a column for it.
    interval
        Whether a bootstrap interval is computed.
    front
        Whether a front may be drawn over it: one constant score for all rows must be bad by it.
    """

    name: str
    title: str
    better: Literal["more", "less"] | None
    needs: frozenset[Trait]
    measure: Callable[[Sample], Measured]
    grouped: bool = False
    abbreviation: str | None = None
    in_terminal: bool = True
    interval: bool = True
    front: bool = True

    @property
    def sign(self) -> float:
        """-1 where less is better, else 1."""
        return -1.0 if self.better == "less" else 1.0

    @property
    def column(self) -> str:
        """Title in a terminal's table."""
        return self.abbreviation or self.title

    def fits(self, task: Task, *, grouped: bool = True) -> bool:
        """Whether a task can be measured so; ``grouped`` says whether its rows have groups."""
        return self.needs <= task.traits and (grouped or not self.grouped)


def by_rows(statistic: Callable[[Floats, Floats], Statistic]) -> Callable[[Sample], Measured]:
    """Measure rows one by one: ``statistic`` turns labels and scores [N] into a function of weights [N]."""
    return lambda sample: Measured(statistic(sample.labels, sample.scores), len(sample.labels))


def unweighted(metric: Callable[[Floats, Floats], float]) -> Callable[[Sample], Measured]:
    """Measure all rows at once by a function of labels and scores [N] that takes no weights, so has no interval."""
    return lambda sample: Measured(lambda _: metric(sample.labels, sample.scores), len(sample.labels))
