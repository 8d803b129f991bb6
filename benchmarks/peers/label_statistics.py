"""Label statistics of a key (a user, a video, a user in a tab): smoothed mean of each label, and count.

A row never contributes to its own statistics: training rows use those of the other days, later rows those of all
training days. Leaving out only the row itself would leak, since its statistics would then encode its label.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.kuairand import Bools, Floats, Ints


class Sums(NamedTuple):
    """Sums of the labels [K, T] and numbers of rows [K] of each key."""

    labels: Floats
    rows: Floats


def combine(columns: Sequence[Ints]) -> Ints:
    """A code from 0 for each distinct combination of the columns [N]; a single column is returned unchanged."""
    combined = columns[0]
    for column in columns[1:]:
        combined = np.unique(combined * (column.max() + 1) + column, return_inverse=True)[1].astype(np.int64)
    return combined


def count(keys: Ints, labels: Floats, size: int) -> Sums:
    """Sum labels [N, T] over the rows of each of `size` keys [N]."""
    per_task = [np.bincount(keys, labels[:, task], size) for task in range(labels.shape[1])]
    return Sums(np.stack(per_task, axis=1), np.bincount(keys, minlength=size).astype(np.float64))


def smoothed_logits(sums: Sums, prior: Floats, strength: float) -> Floats:
    """Logits [K, T] of (sum + strength * prior) / (rows + strength)."""
    mean = (sums.labels + strength * prior) / (sums.rows + strength)[:, None]
    return np.asarray(np.log(mean / (1 - mean)))


def out_of_day(keys: Ints, labels: Floats, day: Ints, *, training: Bools, strength: float) -> Floats:
    """Statistics of every row [N, T + 1]: the logits of its key's smoothed means, and log(1 + count).

    Parameters
    ----------
    keys, day
        The key and the day of each row, [N].
    labels
        [N, T]; labels outside of `training` are never read.
    training
        Which rows may be counted, [N].
    strength
        Weight of the overall mean, in rows, added to each key.
    """
    size = int(keys.max()) + 1
    prior = labels[training].mean(axis=0)
    whole = count(keys[training], labels[training], size)
    result = np.empty((len(keys), labels.shape[1] + 1))

    def fill(rows: Bools, sums: Sums) -> None:
        table = np.column_stack([smoothed_logits(sums, prior, strength), np.log1p(sums.rows)])
        result[rows] = table[keys[rows]]

    fill(~training, whole)
    for each in np.unique(day[training]):
        rows = training & (day == each)
        own = count(keys[rows], labels[rows], size)
        fill(rows, Sums(whole.labels - own.labels, whole.rows - own.rows))
    return result
