"""The places where rows were shown: their encoding, and how many rows and labels each has."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, integers, require
from ranker.funnels import Funnel
from ranker.log_files.log_reader import DataError
from ranker.position import POSITION, PositionOptions
from ranker.position.base import FIRST
from training.config.experiment import Experiment
from training.data.batches import Batch, EncodedRows

Floats = NDArray[np.float64]

NULL = -1
"""Encoded position of a row without one."""
MOST = np.iinfo(np.int32).max
SMOOTHING = 20.0
"""Rows of the mean rate that are added to each place."""


def position_columns(experiment: Experiment) -> list[str]:
    """The columns that training rows are read with for the correction of position bias."""
    return [] if experiment.position is None else [experiment.position.column]


def encode_positions(experiment: Experiment, columns: Mapping[str, Column]) -> Batch:
    """The positions [N] as an array for training batches, if the experiment needs them; -1 for null.

    Raises ``ColumnError`` for what is no whole number, and for a position before the first.
    """
    options = experiment.position
    if options is None:
        return {}
    found = integers(columns[options.column], options.column)
    null = found == MISSING
    expected = (
        f"a position of at least {options.first}, the first (position.first), and at most {MOST:,}, or null if it is "
        "unknown"
    )
    require(null | (found >= options.first) & (found <= MOST), found, options.column, expected)
    return {POSITION: np.where(null, NULL, found).astype(np.int32)}


def rows_by_place(options: PositionOptions, rows: EncodedRows) -> Floats:
    """Number of training rows of each place [P + 1], those of unknown ones first."""
    counts = np.zeros(options.positions + 1)
    for (positions,) in rows.columns(POSITION):
        counts += np.bincount(options.places(positions), minlength=len(counts))
    return counts


def require_first(options: PositionOptions, rows: EncodedRows) -> None:
    """Raise ``DataError`` unless rows were shown at the first place, which all others are compared with, and others."""
    counts = rows_by_place(options, rows)
    if counts[FIRST] and np.count_nonzero(counts[FIRST:]) > 1:
        return
    if counts[FIRST]:
        raise DataError(
            f"position.column: all training rows with a position were shown at place {options.first} of "
            f"{options.column!r}, so that there is nothing to correct; leave position out"
        )
    if counts[FIRST:].any():
        known = [values[values >= 0] for (values,) in rows.columns(POSITION)]
        least = min(int(values.min()) for values in known if len(values))
        raise DataError(
            f"position.first: no training row has position {options.first} in column {options.column!r}, which the "
            f"others are compared with; the least is {least}: set position.first: {least}"
        )
    raise DataError(f"position.column: {options.column!r} is null in all training rows")


def rates_by_place(options: PositionOptions, rows: EncodedRows, funnel: Funnel) -> dict[str, Floats]:
    """Mean label of each affected task by place [P + 1], smoothed toward that of all rows."""
    affected = options.affected(dict(zip(funnel.tasks, funnel.kinds, strict=True)))
    counts = {name: np.zeros(options.positions + 1) for name in affected}
    sums = {name: np.zeros(options.positions + 1) for name in affected}
    for labels, known, positions, *own in rows.columns("labels", "known", POSITION, "weights"):
        weights, places = np.prod([known, *own], axis=0, dtype=np.float64), options.places(positions)
        for name in affected:
            task = funnel.tasks.index(name)
            weight = funnel.within_parent(labels, weights, task)
            counts[name] += np.bincount(places, weight, minlength=len(counts[name]))
            sums[name] += np.bincount(places, weight * labels[:, task], minlength=len(counts[name]))
    rates = {}
    for name in affected:
        mean = sums[name].sum() / max(counts[name].sum(), 1.0)
        rates[name] = (sums[name] + SMOOTHING * mean) / (counts[name] + SMOOTHING)
    return rates
