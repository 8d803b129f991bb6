"""What a person should know about a split before believing its metrics."""

import numpy as np
from numpy.typing import NDArray

from training.config.experiment import Experiment, SplitAtRandom, SplitByTime
from training.data.log_reader import Log
from training.data.split.group_column import GroupColumn
from training.data.split.held_out import Split, split

FEW = 1000
SMALL = 0.01
"""Fewer rows than this, though the log has a hundred times as many: an AUC of 1,000 rows is off by about 0.02."""
TORN = 0.01
MOST = 1 << 20
"""Groups of each side that are held in memory; of more, those with the smallest hashes stand for all."""


def cautions(experiment: Experiment, log: Log, training: int, validation: int) -> list[str]:
    """Cautions about the split of a log into so many rows. Reads ``evaluation.group_by`` of one split at random."""
    rule, group_by, found = experiment.data.split, experiment.evaluation.group_by, []
    share = validation / (training + validation)
    if validation < FEW and share < SMALL:
        text = f"caution: only {validation:,} of {training + validation:,} rows ({share:.2%}) are held out"
        if isinstance(rule, SplitByTime) and rule.last is not None and rule.unit is None:
            text += (
                f": data.split.last: {rule.last} counts distinct values of {rule.column!r}; of timestamps, `unit: day` "
                "beside it holds out whole days"
            )
        found.append(text)
    if isinstance(rule, SplitAtRandom) and group_by is not None:
        both = torn(split(log, rule, experiment.training.seed), group_by)
        if both > TORN:
            found.append(
                f"caution: {both:.0%} of the validation groups (evaluation.group_by: {group_by}) also have training "
                "rows. If a group is one list or request, this makes metrics too good; to hold out whole groups: "
                f"split: {{by: group, column: {group_by}, fraction: {rule.fraction:g}}}"
            )
    return found


def torn(rows: Split, group_by: str, most: int = MOST) -> float:
    """Share of the validation groups that also have training rows; of a sample where there are more than ``most``."""
    column, limit = GroupColumn(group_by), (1 << 64) - 1
    sides: list[NDArray[np.uint64]] = [np.zeros(0, dtype=np.uint64)] * 2
    for chunk in rows.log.chunks(list(dict.fromkeys([group_by, *rows.columns]))):
        hashes, known = column.of(chunk)
        held_out = rows.held_out(chunk)
        for side in (0, 1):
            merged = np.unique(np.concatenate([sides[side], hashes[known & (held_out == side)]]))
            merged = merged[merged <= np.uint64(limit)]
            while len(merged) > most:
                limit //= 2
                merged = merged[merged <= np.uint64(limit)]
            sides[side] = merged
    training, validation = (side[side <= np.uint64(limit)] for side in sides)
    return float(np.isin(validation, training).mean()) if len(validation) else 0.0
