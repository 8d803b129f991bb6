"""Measures of both versions on the same rows: every objective's metrics, and those of the default fusions' rankings."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, FusionError, Requests
from ranker.log_files.log_reader import DataError
from ranker.metrics import Groups, Relevance, metrics_of
from ranker.metrics.base import Sample
from ranker.metrics.checks import Floats, Statistic
from ranker.metrics.lists import mean
from ranker.schema import Task
from training.config.metric_names import Metric
from training.config.promotion import rankings
from training.data.encode import NO_GROUP
from training.promotion.resampling import Family, Paired
from training.promotion.rows import PairedRows, Version

Mask = NDArray[np.bool_]


class Lists:
    """Both versions' fused scores within the lists that groups of at least two rows are.

    Parameters
    ----------
    rows
        Rows with groups. Raises ``DataError`` if a version's default fusion cannot rank them.

    Attributes
    ----------
    members
        Rows that are in a list [M].
    new, old
        Numbers that order these rows as the fusions do [M]; candidates that a rule ranks last are below all others.
    groups
        The lists of these rows.
    units
        The unit of each list [L] that is resampled.
    """

    def __init__(self, rows: PairedRows) -> None:
        sizes = np.bincount(rows.units, minlength=rows.unit_count)
        self.members = np.flatnonzero(rows.in_group & (sizes[rows.units] > 1))
        units = rows.units[self.members]
        self.new, self.old = (fused(version, self.members, units) for version in (rows.new, rows.old))
        self.groups = Groups(units)
        self.units = np.unique(units)
        self._rankings = [self.groups.ranking(scores) for scores in (self.new, self.old)]

    def family(self, rows: PairedRows, metric: Metric, mask: Mask) -> Family | None:
        """A metric of both versions' rankings, over the lists in which it is defined.

        The label of an objective is the relevance; an unknown label, and a row outside the mask [N], has none. ``None``
        if the metric takes no label below 0 and there is one.
        """
        i = list(rows.tasks).index(metric.column)
        known = (rows.known[:, i] & mask)[self.members]
        relevance = Relevance(np.where(known, rows.labels[self.members, i], 0.0), known)
        try:
            prepared = metric.definition.prepared(self.groups, relevance, metric.k)
        except ValueError:
            return None
        assert prepared.of_lists is not None, "a metric within lists"
        new, old = (prepared.of_lists(ranking) for ranking in self._rankings)
        defined = np.isfinite(new) & (prepared.weights > 0)  # by the relevance alone, so in both versions
        statistics = (_mean_of(values[defined], prepared.weights[defined]) for values in (new, old))
        return Family(self.units[defined], [Paired(metric.name, "more", *statistics)])


def fused(version: Version, members: NDArray[np.intp], codes: NDArray[np.intp]) -> Floats:
    """Numbers [M] that order some rows within the lists ``codes`` [M] as the default fusion does, rules included.

    Raises ``DataError``.
    """
    plan = version.artifact.fusion
    features = {name: values[members] for name, values in version.features.items()}
    lists = np.unique(codes, return_inverse=True)[1].astype(np.intp)
    requests = Requests(lists, int(lists.max(initial=-1)) + 1)
    try:
        return plan.rank(Candidates.of(plan.objectives, version.scores[members], requests, features)).sort_keys()
    except FusionError as error:
        raise DataError(
            f"{version.artifact.folder}: its fusion {plan.fusion.name!r} cannot rank these rows: {error}"
        ) from None


def families(
    rows: PairedRows,
    tasks: Sequence[str],
    lists: Lists | None,
    mask: Mask | None = None,
    bounds: Collection[str] = (),
) -> list[Family]:
    """Measures of some objectives on all rows, or on those of a mask [N]; of rankings also those that ``bounds`` name.

    On a slice, rankings are those of whole lists, and only the slice's rows gain.
    """
    inside = np.ones(len(rows), dtype=bool) if mask is None else mask
    found: list[Family] = []
    for i, (name, task) in enumerate(rows.tasks.items()):
        if name not in tasks:
            continue
        found += _of_task(rows, name, task, rows.known[:, i] & inside, i)
    for metric in rankings(bounds, rows.tasks) if lists is not None else ():
        if metric.column in tasks and lists is not None and (family := lists.family(rows, metric, inside)) is not None:
            found.append(family)
    return found


def _of_task(rows: PairedRows, name: str, task: Task, chosen: Mask, i: int) -> list[Family]:
    """Metrics over rows, and each metric over groups."""
    groups = None if rows.groups is None else rows.groups[chosen]
    labels, units = rows.labels[chosen, i], rows.units[chosen]
    new, old = (
        Sample.checked(task, labels, version.of(name)[chosen], groups, NO_GROUP) for version in (rows.new, rows.old)
    )
    by_rows: list[Paired] = []
    by_groups: list[Family] = []
    for metric in metrics_of(task, grouped=groups is not None):
        if not metric.interval:
            continue
        mine, theirs = metric.measure(new), metric.measure(old)
        one = Paired(f"{name}.{metric.name}", metric.better, mine.statistic, theirs.statistic)
        if mine.groups is None or new.groups is None:
            by_rows.append(one)
            continue
        unit_of = np.zeros(int(new.groups.max(initial=-1)) + 1, dtype=np.intp)
        unit_of[new.groups[new.in_group]] = units[new.in_group]
        by_groups.append(Family(unit_of[mine.groups], [one]))
    return [Family(units, by_rows), *by_groups]


def _mean_of(values: Floats, weights: Floats) -> Statistic:
    """The mean of values [L] by weights [L] as a function of how often each list was drawn [L]."""
    return lambda counts: mean(values, weights * counts)
