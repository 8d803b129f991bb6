"""Fits trees on the encoded training rows, and adds their scores to the rows of both sides of the split."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.encoding import Encoder, Layout, Packed
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.tree_scores import Booster, TreeColumns, TreeScores
from ranker.files import replace_file
from ranker.log_files.log_reader import DataError, Log
from ranker.tasks import Task
from ranker.trees import Tree, packed, unpacked
from training.config.experiment import Experiment
from training.config.trees import TreeOptions
from training.data.batches import Batch, EncodedRows
from training.data.trees.boost import Boosting, Targets, targets_of
from training.data.trees.folds import tree_folds
from training.progress_listener import RunListener

STATE, ARRAYS = "trees.json", "trees.npz"
STAGE = "tree scores"
Folds = NDArray[np.int8]


def fitted_scores(
    experiment: Experiment,
    options: TreeOptions,
    log: Log,
    encoder: Encoder,
    training: EncodedRows,
    validation: EncodedRows,
    folder: Path,
    listener: RunListener,
    refit: bool = False,
) -> None:
    """Fit the trees and write their scores into ``folder``; boosters that are there already are not fitted again.

    A training row gets the score of the booster fitted without its fold. Validation rows, and rows in serving, get that
    of a booster fitted on all training rows with as many trees: it is one booster too, so that its scores for rows it
    has not seen spread like the out-of-fold ones. The mean of the folds' boosters would spread less. With ``blend`` no
    layer reads the scores of training rows, so they are 0 and there are no boosters of folds. Raises ``DataError`` for
    a task with nothing to fit on in the other folds, or without folds in all rows.
    """
    tasks = options.tasks(list(experiment.log_schema.tasks))
    folder.mkdir(parents=True, exist_ok=True)
    columns = TreeColumns(encoder.layout)
    # Without scores of training rows, folds are only drawn to choose the rounds.
    folds = tree_folds(experiment, log, options.folds, refit) if options.needs_folds else None
    fits = _boosters(experiment, options, encoder.layout, training, folds, folder, listener)
    if options.blend is None and folds is not None:
        found = _out_of_fold(tasks, fits, encoder.layout, training, folds, listener)
    else:
        found = np.zeros((len(training), len(tasks)))
        listener.rows(STAGE, len(training))
    boosters = {}
    for place, task in enumerate(tasks):
        mean, deviation = found[:, place].mean(), found[:, place].std()
        scale = 1.0 / float(usable_deviation(deviation, mean))
        boosters[task] = Booster(tuple(fits[task, None]), float(mean), scale)
    trees = TreeScores(len(columns.names), boosters, options.blend)
    _write(folder / "training", np.split(trees.standardised(found), np.cumsum(training.rows)[:-1]))
    _write(
        folder / "validation",
        (trees.inputs(columns, packed_of(chunk, encoder.layout)) for chunk in validation.chunks()),
    )
    state, arrays = trees.state()
    replace_file(folder / ARRAYS, _saved(arrays))
    replace_file(folder / STATE, orjson.dumps(state))  # last, as it marks the folder as complete


def opened_scores(
    folder: Path, encoder: Encoder, training: EncodedRows, validation: EncodedRows
) -> tuple[Encoder, EncodedRows, EncodedRows]:
    """The encoder and the rows with the scores in ``folder``. Raises ``FileNotFoundError`` if it is not complete."""
    state = orjson.loads((folder / STATE).read_bytes())
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        trees = TreeScores.restored(state, dict(arrays))
    return (
        replace(encoder, trees=trees),
        replace(training, scores=folder / "training"),
        replace(validation, scores=folder / "validation"),
    )


def _out_of_fold(
    tasks: Sequence[str],
    fits: Mapping[tuple[str, int | None], list[Tree]],
    layout: Layout,
    training: EncodedRows,
    folds: Folds,
    listener: RunListener,
) -> NDArray[np.float64]:
    """Scores [N, T] of the training rows, each of the boosters that were fitted without the row's fold [N]."""
    columns = TreeColumns(layout)
    by_fold = {
        fold: TreeScores(len(columns.names), {task: Booster(tuple(fits[task, fold])) for task in tasks})
        for fold in np.unique(folds).tolist()
    }
    found, first = np.empty((len(training), len(tasks))), 0
    for chunk in training.chunks():
        rows = packed_of(chunk, layout)
        own = folds[first : first + len(rows.candidate_ids)]
        for fold in np.unique(own).tolist():
            at = np.flatnonzero(own == fold)
            found[first + at] = by_fold[fold].scores(columns, rows.taken(at, at))
        first += len(own)
        listener.rows(STAGE, len(own))
    return found


def packed_of(batch: Batch, layout: Layout) -> Packed:
    """The packed arrays of a batch, which lacks those without columns."""
    rows = len(batch["labels"])
    missing = (np.zeros((rows, width), dtype=np.float32) for width in layout.widths())
    return Packed(*(batch.get(name, empty) for name, empty in zip(Packed._fields, missing, strict=True)))


def _boosters(
    experiment: Experiment,
    options: TreeOptions,
    layout: Layout,
    training: EncodedRows,
    folds: Folds | None,
    folder: Path,
    listener: RunListener,
) -> Mapping[tuple[str, int | None], list[Tree]]:
    """Trees by task and by the fold left out; ``None`` for those fitted on all rows.

    With ``blend``, the first fold is left out only where it chooses the rounds, and no other one.
    """
    tasks, known = options.tasks(list(experiment.log_schema.tasks)), experiment.log_schema.tasks
    targets = targets_of(experiment.log_schema, training)
    if folds is None:
        folds = np.zeros(len(training), dtype=np.int8)
        require_labels(known, targets, tasks)
        numbers, first = [], {}
    else:
        numbers = np.unique(folds).tolist()
        first = {task: first_fold(task, known[task], targets[task], folds) for task in tasks}
    wanted: list[tuple[str, int | None]] = list(first.items())
    if options.blend is None:
        wanted += [(task, fold) for task in tasks for fold in numbers if fold != first[task]]
    wanted += [(task, None) for task in tasks]
    done = {(task, fold): trees for task, fold in wanted if (trees := _read(_file(folder, task, fold))) is not None}
    if len(done) == len(wanted):
        return done
    order = _by_list(targets)
    targets, folds = {name: of.reordered(order) for name, of in targets.items()}, folds[order]
    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        values = Path(scratch) / "values.npy"
        write_values(values, layout, training, order)
        boosting = Boosting(values, options, experiment.training.seed, experiment.training.threads)
        for task, fold in wanted:
            if (task, fold) in done:
                continue
            begun = time.perf_counter()
            rounds = None if options.rounds == "auto" else options.rounds
            if rounds is None and fold != first[task]:
                rounds = len(done[task, first[task]])
            trees = boosting.fit(targets[task], folds != (-1 if fold is None else fold), rounds, folds == fold)
            replace_file(_file(folder, task, fold), _saved(packed(trees)))
            done[task, fold] = trees
            rows = "all rows" if fold is None else f"all but fold {numbers.index(fold) + 1} of {len(numbers)}"
            listener.note(f"trees of {task} on {rows}: {len(trees)} rounds, {time.perf_counter() - begun:.1f} s")
    return done


def require_labels(known: Mapping[str, Task], targets: Mapping[str, Targets], tasks: Sequence[str]) -> None:
    """Raise ``DataError`` for a task with nothing to learn from the labels that count, such as only zeros, or none."""
    for name in tasks:
        labels = targets[name].target.labels[targets[name].weights > 0]
        why = (
            known[name].nothing_to_learn(len(labels), int(np.count_nonzero(labels)))
            if len(labels)
            else "no label counts"
        )
        if why is not None:
            raise DataError(f"trees.of: {why} among the rows of {name!r}; list the other tasks in trees.of")


def first_fold(name: str, task: Task, targets: Targets, folds: Folds) -> int:
    """The first fold with rows that count, held out by ``rounds: auto``.

    Raises ``DataError`` for a task with fewer than two, and if the rows without a fold have nothing to learn: trees of
    labels that are all 0 would give that fold's rows log odds of about -35.
    """
    counts = targets.weights > 0
    counted = np.unique(folds[counts]).tolist()
    if len(counted) < 2:
        raise DataError(
            f"trees.of: the labels of {name!r} that count lie in {len(counted)} of the folds, so that no score can be "
            "out of fold; list the other tasks in trees.of"
        )
    for fold in counted:
        labels = targets.target.labels[counts & (folds != fold)]
        if reason := task.nothing_to_learn(len(labels), int(np.count_nonzero(labels))):
            raise DataError(
                f"trees.of: without one of the folds, {reason} among the rows of {name!r}, so that trees cannot be "
                "fitted to score that fold; list the other tasks in trees.of, or divide rows otherwise (trees.folds, "
                "schema.label_statistics.fold_by)"
            )
    return int(counted[0])


def _by_list(targets: Mapping[str, Targets]) -> NDArray[np.intp]:
    """An order of the rows [N] in which those of a list follow one another, if a loss compares them."""
    rows = len(next(iter(targets.values())).weights)
    lists = next((of.lists for of in targets.values() if of.lists is not None), None)
    return np.arange(rows) if lists is None else np.argsort(lists, kind="stable")


def write_values(file: Path, layout: Layout, training: EncodedRows, order: NDArray[np.intp] | None = None) -> None:
    """The columns of all rows [N, F], as LightGBM reads them, in an order [N] if it is not that of the rows."""
    columns = TreeColumns(layout)
    shape, place = (len(training), len(columns.names)), np.arange(len(training))
    if order is not None:
        place[order] = np.arange(len(training))
    values, first = np.lib.format.open_memmap(file, "w+", dtype=np.float32, shape=shape), 0
    for chunk in training.chunks():
        rows = np.concatenate(columns.of(packed_of(chunk, layout)), axis=1)
        values[place[first : first + len(rows)]] = rows
        first += len(rows)
    values.flush()


def _write(folder: Path, parts: Sequence[NDArray[np.float32]] | Iterator[NDArray[np.float32]]) -> None:
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        np.save(folder / f"{number:06d}.npy", part, allow_pickle=False)


def _file(folder: Path, task: str, fold: int | None) -> Path:
    return folder / f"{task}.{'all' if fold is None else fold}.npz"


def _read(file: Path) -> list[Tree] | None:
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        return unpacked(dict(arrays))


def _saved(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
