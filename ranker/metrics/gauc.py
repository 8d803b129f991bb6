"""AUC within groups, such as users or requests: how well each one's own candidates are ordered."""

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
    """A grouped AUC and how much of the data it speaks for."""

    value: float
    """In [0, 1]; NaN where no group has both classes."""
    groups: int
    """Groups with both classes, which alone are used."""
    rows: int
    """Rows of those groups."""


class GroupAucs(NamedTuple):
    """The AUC of each group that has both classes."""

    aucs: Floats
    """[G], each in [0, 1]."""
    rows: Floats
    """Impressions of each group [G]."""


def gauc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> Gauc:
    """Mean of the groups' AUCs, each weighted by its impressions. Zhu et al. 2017, "Optimized Cost per Click".

    Groups whose labels are all equal have no AUC and are left out.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and finite scores [N] of any scale.
    groups
        The key of each row's group [N]: integers, strings, or other keys of one sortable kind.

    Raises
    ------
    ValueError
        For unequal lengths, and for a bad value, with its row.
    """
    labels = checked_labels(labels)
    scores = checked_numbers("scores", scores, len(labels))
    found = group_aucs(labels, scores, checked_groups(groups, len(labels)))
    value = gauc_statistic(found)(np.ones(len(found.rows)))
    return Gauc(value, len(found.rows), int(found.rows.sum()))


def group_aucs(labels: Floats, scores: Floats, codes: NDArray[np.intp]) -> GroupAucs:
    """AUC of every group at once, from checked rows and group codes [N]: one sort, no loop over groups."""
    if not len(labels):
        return GroupAucs(np.zeros(0), np.zeros(0))
    order = np.lexsort((scores, codes))
    codes, scores, positive = codes[order], scores[order], labels[order]
    ties = run_starts(codes, scores)  # runs of equal scores in one group
    positives = np.add.reduceat(positive, ties)
    negatives = np.add.reduceat(1.0 - positive, ties)
    starts = run_starts(codes[ties])  # where the groups begin, among the runs
    group_positives = np.add.reduceat(positives, starts)
    group_negatives = np.add.reduceat(negatives, starts)
    # Negatives below each run within its group: the running count less the count of all groups before. These are whole
    # and half numbers, so nothing is lost by subtracting.
    before = np.cumsum(group_negatives) - group_negatives
    runs = np.diff(starts, append=len(ties))
    below = np.cumsum(negatives) - 0.5 * negatives - np.repeat(before, runs)
    wins = np.add.reduceat(positives * below, starts)
    pairs = group_positives * group_negatives
    used = pairs > 0
    return GroupAucs(wins[used] / pairs[used], (group_positives + group_negatives)[used])


def gauc_statistic(found: GroupAucs) -> Statistic:
    """Return the grouped AUC as a function of the weights [G] of the groups."""
    weighted = found.aucs * found.rows

    def statistic(weights: Floats) -> float:
        return ratio(total(weighted, weights), total(found.rows, weights))

    return statistic


def measured_groups(sample: Sample) -> Measured:
    """The grouped AUC of the rows that belong to a group, with the numbers of groups and of rows outside them.

    Raises ``ValueError`` for a sample without groups.
    """
    if sample.groups is None:
        raise ValueError("a grouped AUC needs groups, got none")
    rows = sample.in_group
    found = group_aucs(sample.labels[rows], sample.scores[rows], sample.groups[rows])
    counts = {"gauc_groups": len(found.rows), "gauc_rows_without_group": len(rows) - int(rows.sum())}
    return Measured(gauc_statistic(found), len(found.rows), counts)
