"""Grouped AUC (GAUC): ranking quality within groups, such as users or requests."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.base import Measured, Sample
from ranker.metrics.checks import (
    Floats,
    Statistic,
    checked_groups,
    checked_labels,
    checked_numbers,
    ratio,
    run_starts,
    total,
)


class Gauc(NamedTuple):
    """A grouped AUC and its coverage."""

    value: float
    """In [0, 1]; NaN if no group has both classes."""
    groups: int
    """Number of groups with both classes; only these are used."""
    rows: int
    """Number of rows in those groups."""


class GroupAucs(NamedTuple):
    """AUCs of the groups that have both classes."""

    aucs: Floats
    """AUCs [G] in [0, 1]."""
    rows: Floats
    """Number of impressions of each group [G]."""
    codes: NDArray[np.intp]
    """Their group codes [G], in ascending order."""


def gauc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> Gauc:
    """Mean of group AUCs, weighted by impressions. Zhu et al. 2017, "Optimized Cost per Click".

    Groups with constant labels have no AUC and are left out.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and finite scores [N] of any scale.
    groups
        Group key of each row [N]: integers, strings, or other keys of one sortable type.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    labels = checked_labels(labels)
    scores = checked_numbers("scores", scores, len(labels))
    groups_with_auc = group_aucs(labels, scores, checked_groups(groups, len(labels)))
    value = gauc_statistic(groups_with_auc)(np.ones(len(groups_with_auc.rows)))
    return Gauc(value, len(groups_with_auc.rows), int(groups_with_auc.rows.sum()))


def group_aucs(labels: Floats, scores: Floats, codes: NDArray[np.intp]) -> GroupAucs:
    """AUCs of all groups from checked rows and group codes [N]: one sort, no loop over groups."""
    if not len(labels):
        return GroupAucs(np.zeros(0), np.zeros(0), codes)
    order = np.lexsort((scores, codes))
    codes, scores, positive = codes[order], scores[order], labels[order]
    ties = run_starts(codes, scores)  # starts of runs of equal scores within a group
    positives = np.add.reduceat(positive, ties)
    negatives = np.add.reduceat(1.0 - positive, ties)
    starts = run_starts(codes[ties])  # first run of each group
    group_positives = np.add.reduceat(positives, starts)
    group_negatives = np.add.reduceat(negatives, starts)
    # Negatives below each run within its group: the running count minus the count of all earlier groups. These are
    # multiples of 1/2, so the subtraction is exact.
    before = np.cumsum(group_negatives) - group_negatives
    runs = np.diff(starts, append=len(ties))
    below = np.cumsum(negatives) - 0.5 * negatives - np.repeat(before, runs)
    wins = np.add.reduceat(positives * below, starts)
    pairs = group_positives * group_negatives
    used = pairs > 0
    return GroupAucs(wins[used] / pairs[used], (group_positives + group_negatives)[used], codes[ties][starts][used])


def gauc_statistic(groups: GroupAucs) -> Statistic:
    """Return the grouped AUC as a function of group weights [G]."""
    weighted = groups.aucs * groups.rows

    def statistic(weights: Floats) -> float:
        return ratio(total(weighted, weights), total(groups.rows, weights))

    return statistic


def measured_groups(sample: Sample) -> Measured:
    """Grouped AUC of rows with a group, with the numbers of groups and of rows without one.

    Raises ``ValueError`` for a sample without groups.
    """
    if sample.groups is None:
        raise ValueError("a grouped AUC needs groups, got none")
    rows = sample.in_group
    groups = group_aucs(sample.labels[rows], sample.scores[rows], sample.groups[rows])
    counts = {"gauc_groups": len(groups.rows), "gauc_rows_without_group": len(rows) - int(rows.sum())}
    return Measured(gauc_statistic(groups), len(groups.rows), counts, groups.codes)
