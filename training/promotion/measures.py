"""Measures of both versions on the same rows: every objective's metrics, and NDCG of the default fusions' rankings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, FusionError, Requests
from ranker.log_files.log_reader import DataError
from ranker.metrics import Groups, metrics_of
from ranker.metrics.base import Sample
from ranker.metrics.checks import Floats, ratio
from ranker.schema import Task
from training.config.promotion import NDCG, TOP
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

    def ndcg(self, rows: PairedRows, i: int, mask: Mask) -> tuple[Floats, Floats] | None:
        """NDCG@10 of both versions in each list [L], NaN if undefined, with the i-th label as the gain.

        An unknown label gains nothing, and so do rows outside the mask [N]. ``None`` if a label is below 0.
        """
        gains = np.where(rows.known[:, i] & mask, rows.labels[:, i], 0.0)[self.members]
        if gains.min(initial=0.0) < 0:
            return None
        ideal = self.groups.ranking(gains).dcg(gains, TOP)
        new, old = (
            np.divide(ranking.dcg(gains, TOP), ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)
            for ranking in self._rankings
        )
        return new, old


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


def families(rows: PairedRows, tasks: Sequence[str], lists: Lists | None, mask: Mask | None = None) -> list[Family]:
    """Measures of some objectives on all rows, or on those of a mask [N].

    On a slice, rankings are those of whole lists, and only the slice's rows gain.
    """
    inside = np.ones(len(rows), dtype=bool) if mask is None else mask
    found: list[Family] = []
    for i, (name, task) in enumerate(rows.tasks.items()):
        if name not in tasks:
            continue
        found += _of_task(rows, name, task, rows.known[:, i] & inside, i)
        if lists is not None and (ndcgs := lists.ndcg(rows, i, inside)) is not None:
            defined = np.isfinite(ndcgs[0])  # by the gains alone, so in both versions
            one = Paired(f"{name}.{NDCG}", "more", *(_Mean(values[defined]) for values in ndcgs))
            found.append(Family(lists.units[defined], [one]))
    return found


def _of_task(rows: PairedRows, name: str, task: Task, chosen: Mask, i: int) -> list[Family]:
    """Metrics over rows, and metrics over groups."""
    groups = None if rows.groups is None else rows.groups[chosen]
    labels = rows.labels[chosen, i]
    new, old = (
        Sample.checked(task, labels, version.of(name)[chosen], groups, NO_GROUP) for version in (rows.new, rows.old)
    )
    by_rows: list[Paired] = []
    by_groups: list[Paired] = []
    for metric in metrics_of(task, grouped=groups is not None):
        if metric.interval:
            one = Paired(
                f"{name}.{metric.name}", metric.better, metric.measure(new).statistic, metric.measure(old).statistic
            )
            (by_groups if metric.grouped else by_rows).append(one)
    found = [Family(rows.units[chosen], by_rows)]
    if by_groups:
        found.append(Family(_with_both_classes(rows.units[chosen], labels, new.in_group), by_groups))
    return found


def _with_both_classes(units: NDArray[np.intp], labels: Floats, in_group: Mask) -> NDArray[np.intp]:
    """Units of the groups with both classes, in the order of the groups' codes, as grouped metrics have them."""
    members, counted = units[in_group], labels[in_group]
    positives = np.bincount(members, counted)
    sizes = np.bincount(members)
    return np.flatnonzero((positives > 0) & (positives < sizes))


class _Mean:
    """Weighted mean of values [L]."""

    def __init__(self, values: Floats) -> None:
        self._values = values

    def __call__(self, weights: Floats) -> float:
        return ratio((self._values * weights).sum(), weights.sum())
