"""Caches encoded rows in a folder, shared by all runs with the same data, schema, split and seed."""

import hashlib
import shutil
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from ranker.artifact import Artifact
from ranker.encoding import from_state, to_state
from ranker.file_locks import locked
from ranker.log_files.log_reader import DataError, Log
from ranker.rank_losses import LISTS
from training.config.data import SplitByFiles
from training.config.experiment import Experiment
from training.data import listed_rows
from training.data.batches import EncodedRows
from training.data.days import Days
from training.data.earlier import Earlier, read_ids, write_ids
from training.data.encode import Prepared, prepare
from training.data.trees import fitted_scores, opened_scores
from training.data.workers import HERE, Workers
from training.progress_listener import RunListener

RUN, ROWS = "run", "rows"
"""Folder of a run in its output, and of its encoded rows in that."""
DAYS = "days.json"
TREES = "trees"


def digest(*facts: Any) -> str:
    """SHA-256 of plain data."""
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_NON_STR_KEYS)).hexdigest()


def files(experiment: Experiment, log: Log) -> list[Any]:
    """Fingerprints of every file that a run reads: the log's and the separate validation files'."""
    split, csv = experiment.data.split, experiment.data.csv
    return [log.fingerprint(), *([Log(split.paths, csv=csv).fingerprint()] if isinstance(split, SplitByFiles) else [])]


def scored_by(artifact: Artifact) -> list[str]:
    """Checksums of the files of an artifact that scores depend on: graph, tables beside it, encoder."""
    checksums = artifact.manifest.files
    named = [checksums[name] for name in ("model.onnx", "encoder.json", "encoder.npz")]
    return named + [sha for name, sha in checksums.items() if name.startswith(("encoder/", "model.tables/"))]


def fingerprint(experiment: Experiment, log: Log, earlier: Earlier | None = None, refit: bool = False) -> str:
    """SHA-256 of everything that encoded rows depend on."""
    return digest(
        version("ranker"),
        earlier.digest if earlier else None,
        experiment.daily.model_dump(mode="json"),
        experiment.log_schema.model_dump(mode="json", exclude={"tasks": {"__all__": {"rank_loss"}}}),
        experiment.data.split.model_dump(mode="json"),
        experiment.data.csv.model_dump(mode="json"),
        experiment.evaluation.group_by,
        experiment.training.seed,
        files(experiment, log),
        *(["refit"] if refit else []),
        *([{"lists": experiment.list_column}] if experiment.list_column else []),
        *([experiment.position.encoded()] if experiment.position is not None else []),
    )


def prepared_rows(
    experiment: Experiment,
    log: Log,
    folder: Path,
    listener: RunListener,
    earlier: Earlier | None = None,
    refit: bool = False,
    workers: Workers = HERE,
) -> Prepared:
    """Cached rows from ``folder``, or newly encoded ones; a lock lets one process encode while the others wait.

    With ``refit``, the held-out rows are training rows, too. Trees are fitted once for all runs with the same
    ``trees``. For list losses, the training rows are those of whole lists. Rows are encoded by ``workers``, on
    whom they do not depend. Raises ``DataError``.
    """
    with locked(folder.with_name(f"{folder.name}.lock")):
        base = _encoded_rows(experiment, log, folder, listener, earlier, refit, workers)
        prepared = _with_lists(experiment, _with_trees(experiment, base, folder, log, listener, refit), folder)
        for text in _check_orders(experiment, prepared, earlier):
            listener.note(text)
        return prepared


def refit_rows(
    experiment: Experiment,
    log: Log,
    folder: Path,
    listener: RunListener,
    earlier: Earlier | None = None,
    workers: Workers = HERE,
) -> Prepared:
    """All rows, the held-out ones too, for the second training in ``folder``, by an encoder fitted on all of them.

    The validation rows are the same as the first training's. Raises ``DataError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quiet = RunListener(rows=lambda stage, rows: listener.rows(f"refit: {stage}", rows))  # the notes were given before
    return prepared_rows(experiment, log, folder / ROWS, quiet, earlier, refit=True, workers=workers)


def _encoded_rows(
    experiment: Experiment,
    log: Log,
    folder: Path,
    listener: RunListener,
    earlier: Earlier | None,
    refit: bool,
    workers: Workers,
) -> Prepared:
    """Rows without tree scores; new ones replace all that is in the folder."""
    mark, expected = folder / "fingerprint", fingerprint(experiment, log, earlier, refit)
    if mark.is_file() and mark.read_text() == expected:
        with suppress(FileNotFoundError):  # a part was deleted: encode again
            cached = _opened(experiment, folder)
            listener.note(f"using the rows encoded in {folder}")
            return cached
    mark.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)  # an actor of a job that was killed may still write its last chunk there
    prepared = prepare(experiment, log, folder, listener.rows, listener.note, earlier, refit, workers)
    state, encoded = to_state(prepared.encoder)
    (folder / "encoder.json").write_bytes(orjson.dumps(state))
    np.savez(folder / "encoder.npz", allow_pickle=False, **encoded)
    write_ids(folder, prepared.ids)
    (folder / DAYS).write_text(prepared.days.model_dump_json())
    mark.write_text(expected)  # last, as it marks the folder as complete
    return prepared


def opened_rows(experiment: Experiment, folder: Path) -> Prepared:
    """Open rows encoded into a folder. Raises ``FileNotFoundError`` if a part is missing."""
    return _with_lists(experiment, _with_trees(experiment, _opened(experiment, folder), folder), folder)


def _opened(experiment: Experiment, folder: Path) -> Prepared:
    with np.load(folder / "encoder.npz", allow_pickle=False) as arrays:
        encoder = from_state(experiment.log_schema, orjson.loads((folder / "encoder.json").read_bytes()), dict(arrays))
    training, validation = EncodedRows.open(folder / "training"), EncodedRows.open(folder / "validation")
    days = Days.model_validate_json((folder / DAYS).read_bytes())
    return Prepared(encoder, training, validation, read_ids(folder), days)


def _with_trees(
    experiment: Experiment,
    rows: Prepared,
    folder: Path,
    log: Log | None = None,
    listener: RunListener | None = None,
    refit: bool = False,
) -> Prepared:
    """The rows with tree scores, if the experiment has trees.

    With the ``log``, trees are fitted if they are missing; else raises ``FileNotFoundError``.
    """
    options = experiment.tree_options
    if options is None:
        return rows
    trees = folder / TREES / digest(options.model_dump(mode="json"))[:16]
    try:
        opened = opened_scores(trees, rows.encoder, rows.training, rows.validation)
    except FileNotFoundError:
        if log is None or listener is None:
            raise
        fitted_scores(experiment, options, log, rows.encoder, rows.training, rows.validation, trees, listener, refit)
        opened = opened_scores(trees, rows.encoder, rows.training, rows.validation)
    encoder, training, validation = opened
    return replace(rows, encoder=encoder, training=training, validation=validation)


def _with_lists(experiment: Experiment, rows: Prepared, folder: Path) -> Prepared:
    """The rows with the training rows of each list together, if a task has a list loss."""
    column = experiment.list_column
    if column is None:
        return rows
    options = experiment.tree_options
    listed = folder / LISTS / ("plain" if options is None else digest(options.model_dump(mode="json"))[:16])
    try:
        training = listed_rows.opened(listed)
    except FileNotFoundError:
        listed_rows.regrouped(rows.training, listed)
        training = listed_rows.opened(listed)
    listed_rows.check_sizes(listed, rows.validation, column, experiment.training.batch_size)
    return replace(rows, training=training)


def _check_orders(experiment: Experiment, rows: Prepared, earlier: Earlier | None) -> list[str]:
    """Raise ``DataError`` for a task with a list loss and no order to learn in any list.

    Returns a warning instead for each of the tasks that an earlier fit has learnt.
    """
    tasks, warnings = experiment.log_schema.tasks, []
    places = {name: place for place, (name, task) in enumerate(tasks.items()) if task.rank_loss is not None}
    for name in listed_rows.without_order(rows.training, places) if places else ():
        text = (
            f"tasks.{name}.rank_loss: no list of the training rows (equal values of {experiment.list_column!r}) has "
            "two rows with different labels"
        )
        if earlier is None or name not in earlier.artifact.schema.tasks:
            raise DataError(f"{text}, so there is no order to learn; group by another column, or fix the labels")
        warnings.append(f"caution: {text}, so these rows teach nothing more about its order")
    return warnings
