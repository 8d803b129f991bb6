"""Interface of metrics of one task's scores: required traits, direction, computation."""

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
    """Group code of each row [N]; ``None`` without groups."""
    in_group: NDArray[np.bool_]
    """Whether each row belongs to a group [N]; rows without a group also have a code."""

    @classmethod
    def checked(
        cls, task: Task, labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None, no_group: int | str | None
    ) -> "Sample":
        """Check labels and scores by the task's traits. Raises ``ValueError`` with the row of an invalid value."""
        labels = checked_labels(labels) if task.binary_labels else checked_numbers("labels", labels)
        rows = len(labels)
        scores = checked_probabilities(scores, rows) if task.probability else checked_numbers("scores", scores, rows)
        codes = checked_groups(groups, rows) if groups is not None else None
        in_group = np.ones(rows, dtype=bool)
        if groups is not None and no_group is not None:
            in_group = np.asarray(groups) != no_group
        return cls(labels, scores, codes, in_group)


class Measured(NamedTuple):
    """A metric of a sample as a function of weights of its units: rows, or groups of rows."""

    statistic: Statistic
    units: int
    counts: Mapping[str, int] = {}
    """Further entries of a report, by key."""
    groups: NDArray[np.intp] | None = None
    """Of a grouped metric, the code of the group that each unit is; groups without a value are no units."""


@dataclass(frozen=True)
class Metric:
    """A metric of a task's scores against its labels.

    Attributes
    ----------
    name
        Name in configs, on command lines and in reports.
    title
        Unique display name.
    better
        Whether more or less is better; ``None`` for a ratio that is best at 1, which cannot be used for selection.
    needs
        Required task traits.
    measure
        Maps a sample to the metric as a function of weights.
    grouped
        Whether it requires groups of rows.
    abbreviation
        Short title for terminal tables.
    in_terminal
        Whether terminal tables show it.
    interval
        Whether a bootstrap interval is computed.
    front
        Whether Pareto fronts may use it: a constant score for all rows must be bad.
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
        """-1 if less is better, else 1."""
        return -1.0 if self.better == "less" else 1.0

    @property
    def column(self) -> str:
        """Title in terminal tables."""
        return self.abbreviation or self.title

    def fits(self, task: Task, *, grouped: bool = True) -> bool:
        """Whether the metric applies to a task; ``grouped`` says whether its rows have groups."""
        return self.needs <= task.traits and (grouped or not self.grouped)


def by_rows(statistic: Callable[[Floats, Floats], Statistic]) -> Callable[[Sample], Measured]:
    """Metric over rows: ``statistic`` maps labels and scores [N] to a function of weights [N]."""
    return lambda sample: Measured(statistic(sample.labels, sample.scores), len(sample.labels))


def unweighted(metric: Callable[[Floats, Floats], float]) -> Callable[[Sample], Measured]:
    """Metric of labels and scores [N] without weights, so without interval."""
    return lambda sample: Measured(lambda _: metric(sample.labels, sample.scores), len(sample.labels))
