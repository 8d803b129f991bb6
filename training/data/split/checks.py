"""Warnings about a split that make its metrics unreliable."""

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import Log
from training.config.data import SplitAtRandom, SplitByTime
from training.config.experiment import Experiment
from training.data.split.group_column import GroupColumn
from training.data.split.held_out import Split, split

FEW = 1000
SMALL = 0.01
"""Warn below ``FEW`` rows if that is also under this fraction of the log: an AUC on 1,000 rows is off by about 0.02."""
TORN = 0.01
MOST = 1 << 20
"""Groups per side held in memory; beyond that, those with the smallest hashes are a sample."""


def cautions(experiment: Experiment, log: Log, training: int, validation: int) -> list[str]:
    """Warnings about a split with these row counts. Reads ``evaluation.group_by`` if the split is random."""
    rule, group_by, warnings = experiment.data.split, experiment.evaluation.group_by, []
    share = validation / (training + validation)
    if validation < FEW and share < SMALL:
        text = f"caution: only {validation:,} of {training + validation:,} rows ({share:.2%}) are held out"
        if isinstance(rule, SplitByTime) and rule.last is not None and rule.unit is None:
            text += (
                f": data.split.last: {rule.last} counts distinct values of {rule.column!r}; for timestamps, add "
                "`unit: day` to hold out whole days"
            )
        warnings.append(text)
    if isinstance(rule, SplitAtRandom) and group_by is not None:
        both = torn(split(log, rule, experiment.training.seed), group_by)
        if both > TORN:
            warnings.append(
                f"caution: {both:.0%} of the validation groups (evaluation.group_by: {group_by}) also have training "
                "rows. If a group is one list or request, this makes metrics too good; to hold out whole groups: "
                f"split: {{by: group, column: {group_by}, fraction: {rule.fraction:g}}}"
            )
    return warnings


def torn(rows: Split, group_by: str, most: int = MOST) -> float:
    """Fraction of validation groups that also have training rows, from a sample if there are more than ``most``."""
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
