"""The fold of each training row, for out-of-fold tree scores."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.vocabulary import Vocabulary
from ranker.log_files.log_reader import Chunk, DataError, Log
from training.config.data import SplitByGroup
from training.config.experiment import Experiment
from training.data.dropped_rows import without_dropped
from training.data.encode import columns_of, labels_of
from training.data.experiment_log import kinds_of
from training.data.split.all_rows import AllRows
from training.data.split.group_column import GroupColumn
from training.data.split.held_out import split, uniform, unit


def tree_folds(experiment: Experiment, log: Log, folds: int, refit: bool = False) -> NDArray[np.int8]:
    """Folds [N] of all training rows, in the order of encoding; with ``refit``, of the held-out rows, too.

    Rows with equal values of ``label_statistics.fold_by`` share a fold, else rows of one list if a task has a list
    loss, else rows of one group of a split by group; otherwise folds are random. Raises ``DataError`` if all rows are
    of one fold.
    """
    schema, rule, seed = experiment.log_schema, experiment.data.split, experiment.training.seed
    statistics = schema.label_statistics
    by = statistics.fold_by if statistics else None
    group = experiment.list_column or (rule.column if isinstance(rule, SplitByGroup) else None)
    group = group if by is None else None
    divided = split(log.typed(kinds_of(experiment)), rule, seed)
    rows = without_dropped(AllRows(divided) if refit else divided, schema, labels_of(schema))
    seed += 2  # independent of the split, and of the folds of label statistics
    values, groups = Vocabulary(None, []), GroupColumn(group) if group else None

    def of(chunk: Chunk) -> NDArray[np.integer]:
        if by is not None:
            return values.add(chunk.columns[by], by) % folds
        drawn = uniform(chunk, seed) if groups is None else unit(groups.whole(chunk), seed)
        return (drawn * folds).astype(np.int64)

    def parts() -> Iterator[NDArray[np.int8]]:
        columns = [name for name in (by, group) if name is not None] or columns_of(schema, [])[:1]
        for chunk, mask in rows.training(columns, labels_of(schema)):
            with chunk.naming_rows():
                yield of(chunk)[mask].astype(np.int8)

    found = np.concatenate([np.zeros(0, dtype=np.int8), *parts()])
    if len(np.unique(found)) < 2:
        told = f"have one value of {by or group!r}" if by or group else "are too few"
        raise DataError(f"trees: the {len(found):,} training rows {told}, so that no fold can be held out")
    return found
