"""Fits the encoder on a log's training rows and encodes the log: one pass to fit, one to encode."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import to_json
from ranker.encoding import Column, Encoder, EncoderFitter, Items, weight_columns
from ranker.encoding.columns import Mask
from ranker.encoding.within_list import ListInputs
from ranker.log_files.csv_types import merged, of_kind, schema_kinds
from ranker.log_files.log_reader import Chunk, DataError, Log
from ranker.outcomes import outcomes
from ranker.schema import Schema
from training.config.experiment import Experiment
from training.data.batches import Batch, EncodedRows, EncodedWriter
from training.data.carried_notes import carried_notes
from training.data.day_counts import DayCounts
from training.data.days import DayClock, Days
from training.data.dropped_rows import Rows, without_dropped
from training.data.earlier import Arrays, Earlier
from training.data.encoded_chunks import VALIDATION as VALIDATION
from training.data.encoded_chunks import columns_of as columns_of
from training.data.encoded_chunks import labels_at, selected, validation_batches
from training.data.encoded_chunks import labels_of as labels_of
from training.data.encoded_chunks import taken as taken
from training.data.encoding_checks import cautions
from training.data.every_row import EveryRow
from training.data.experiment_log import kinds_of
from training.data.folds import DayFolds, Folds
from training.data.grouping import GROUP as GROUP
from training.data.grouping import NO_GROUP as NO_GROUP
from training.data.label_counts import LabelCounts
from training.data.positions import encode_positions, position_columns
from training.data.second_pass import EncodedSpan, SecondPass, missing_files, spans_of
from training.data.split.all_rows import AllRows
from training.data.split.held_out import Split, split
from training.data.task_states import task_states
from training.data.workers import HERE, Workers
from training.progress_listener import Progress, no_progress


def no_note(text: str) -> None:
    """Ignore a note."""


@dataclass(frozen=True)
class Prepared:
    """The fitted encoder, the encoded rows of both sides of the split, and what a later fit needs of this one."""

    encoder: Encoder
    training: EncodedRows
    validation: EncodedRows
    ids: Mapping[str, Arrays]
    """Facts of the encoder's fitters, by feature."""
    days: Days


def prepare(
    experiment: Experiment,
    log: Log,
    folder: Path,
    progress: Progress = no_progress,
    note: Callable[[str], None] = no_note,
    earlier: Earlier | None = None,
    refit: bool = False,
    workers: Workers = HERE,
) -> Prepared:
    """Fit the encoder on the training rows and encode all rows into ``folder``. Raises ``DataError``.

    The second pass is done by ``workers``; the result does not depend on them. With ``refit``, the held-out rows are
    training rows, too. The encoder of an ``earlier`` artifact is carried on.

    The first pass counts labels and days: a task with nothing to learn, many labels that contradict `given`, and a few
    rows dated far after all others are errors; few contradictions, features without any value, and features that have
    moved since ``earlier`` are reported through ``note``.
    """
    schema, seed = experiment.log_schema, experiment.training.seed
    log = log.typed(kinds_of(experiment)).with_lists(ListInputs.of_schema(schema))
    divided = split(log, experiment.data.split, seed)
    rows = AllRows(divided) if refit else divided
    clock = DayClock(experiment, earlier.facts.fits if earlier else 0)
    folds = Folds(schema, seed) if earlier is None else DayFolds(schema, clock)
    lists = experiment.list_column
    more = [*folds.columns, *clock.columns, *weight_columns(schema), *([lists] if lists else [])]
    columns = columns_of(schema, [*more, *position_columns(experiment)])
    fitter = EncoderFitter(schema, seed, earlier.carried if earlier else None, experiment.daily.refit_scales)
    counts, by_day, count = LabelCounts(schema), DayCounts(clock), 0
    counted: dict[str, int] = {}
    every = _counted(rows.training(columns, labels_of(schema)), counted)
    for chunk, mask in selected(every, progress, "fit encoding"):
        labels, kept = labels_at(schema, chunk, mask, counts)
        with chunk.naming_rows():
            fold, days = folds.of(chunk), clock.of(chunk)[kept]
        with chunk.naming_rows(kept):
            values, columns_kept = outcomes(schema, labels.values), taken(chunk.columns, kept)
            encode_positions(experiment, columns_kept)  # a row that cannot be used is found before rows are encoded
            fitter.add(columns_kept, values, labels.known, fold[kept], days)
        by_day.add(chunk, kept, days)
        count += len(days)
    if not count:
        raise DataError(f"data.split leaves no row to train on: {rows.counted(columns)}")
    days_of = by_day.days()
    counts.check_conflicts()
    for text in counts.check_learnable(earlier.artifact.schema.tasks if earlier else ()):
        note(text)
    unlabelled = [name for name, known in zip(schema.tasks, counts.known.tolist(), strict=True) if not known]
    if earlier is not None:
        for text in carried_notes(earlier, fitter, days_of, experiment.daily.refit_scales):
            note(text)
    encoder = fitter.fitted()
    for text in cautions(fitter, encoder):
        note(text)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".spans-", dir=folder) as spans:
        second = SecondPass(
            experiment,
            Path(spans),
            divided,
            refit,
            spans_of(divided, counted),
            tuple(columns),
            tuple(labels_of(schema)),
            fitter.for_rows(),
            encoder,
            folds,
            clock,
        )
        items = second.items("training")
        found = workers.each(second, [*items, *second.items("validation")], progress)
        encoded, weighed = _joined(folder / "training", islice(found, len(items)), len(schema.tasks))
        _check_weighed(schema, weighed, unlabelled)
        states = task_states(schema, encoder, encoded, seed, earlier, experiment.daily.refit_scales)
        encoder = replace(encoder, tasks=states)
        validation, _ = _joined(folder / "validation", found, len(schema.tasks), counts)
    if not len(validation):
        raise DataError(f"data.split holds out no row to validate on: {rows.counted(columns_of(schema, []))}")
    for text in counts.check_conflicts():
        note(text)
    return Prepared(encoder, encoded, validation, fitter.facts(), days_of)


def _joined(
    folder: Path, spans: Iterable[EncodedSpan], tasks: int, counts: LabelCounts | None = None
) -> tuple[EncodedRows, NDArray[np.float64]]:
    """The chunks of all spans in order, and the sums of their weights [T]; labels are added to ``counts``."""
    writer, weighed = EncodedWriter(folder), np.zeros(tasks)
    for span in spans:
        missing_files(span)
        for file, rows in zip(span.files, span.rows, strict=True):
            writer.adopt(file, rows)
        for weights in span.weighed:
            weighed += weights
        if counts is not None and span.counts is not None:
            counts.join(span.counts)
    return writer.close(), weighed


def _counted(chunks: Iterator[tuple[Chunk, Mask]], rows: dict[str, int]) -> Iterator[tuple[Chunk, Mask]]:
    """The same chunks; counts the ``rows`` of each file by name."""
    for chunk, mask in chunks:
        rows[chunk.source] = chunk.first + chunk.rows
        yield chunk, mask


def _check_weighed(schema: Schema, totals: NDArray[np.float64], unlabelled: Sequence[str]) -> None:
    """Raise ``DataError`` if all training rows of a weighted task have weight 0; ``totals`` [T] are sums of weights.

    The tasks ``unlabelled`` were checked before.
    """
    for (name, task), total in zip(schema.tasks.items(), totals, strict=True):
        if (task.weight or schema.sample_weight) and total == 0 and name not in unlabelled:
            raise DataError(f"tasks.{name}: no training row counts: each has an unknown label or weight 0")


def encode_all(
    schema: Schema,
    encoder: Encoder,
    log: Log,
    group_by: str | None,
    progress: Progress = no_progress,
    counts: LabelCounts | None = None,
) -> Iterator[Batch]:
    """Encode every row of a log with a fitted encoder: packed arrays, labels, known masks, and groups if requested.

    Labels are counted in ``counts``; rows dropped by ``given_conflicts: drop`` are left out.
    """
    log = log.typed(merged(schema_kinds(schema, encoder), of_kind("id", [group_by])))
    every = EveryRow(log.with_lists(ListInputs.of_schema(schema)))
    for batch, _ in validation_batches(schema, encoder, every, [], {GROUP: group_by}, progress, counts):
        yield batch


def encode_held_out(
    schema: Schema,
    encoder: Encoder,
    rows: Rows,
    group_by: str | None,
    progress: Progress = no_progress,
    counts: LabelCounts | None = None,
) -> Iterator[Batch]:
    """Encode only the validation rows; otherwise like :func:`encode_all`."""
    for batch, _ in validation_batches(schema, encoder, rows, [], {GROUP: group_by}, progress, counts):
        yield batch


def encode_with_columns(
    schema: Schema,
    encoder: Encoder,
    rows: Rows,
    more: list[str],
    group_by: str | None,
    progress: Progress = no_progress,
    counts: LabelCounts | None = None,
) -> Iterator[tuple[Batch, dict[str, Column]]]:
    """Like :func:`encode_held_out`, with the raw columns of each batch: the schema's and ``more``."""
    for batch, raw in validation_batches(schema, encoder, rows, more, {GROUP: group_by}, progress, counts):
        yield batch, _declared(schema, raw)


def encode_inputs(
    schema: Schema, encoder: Encoder, chunks: Iterator[tuple[Chunk, Mask]], progress: Progress, stage: str
) -> Iterator[tuple[Items, dict[str, Column]]]:
    """Encode the candidates of the selected rows of each chunk, with their raw columns; labels are not read.

    Candidates hold the inputs within the lists of the log, and what they are compared by for others.
    """
    for chunk, mask in selected(chunks, progress, stage):
        columns = taken(chunk.columns, mask)
        with chunk.naming_rows(mask):
            encoder.times.check(schema, columns, numbers=False)
            yield encoder.encode_items(columns), columns


def rows_of(schema: Schema, rows: Split) -> Rows:
    """The rows of a split that are encoded, without those dropped by ``given_conflicts``."""
    return without_dropped(rows, schema, labels_of(schema))


def columns_at(
    schema: Schema, rows: Rows, names: Sequence[str], chosen: NDArray[np.int64] | None = None
) -> dict[str, NDArray[Any]]:
    """Raw values of validation rows, ``None`` for null; all rows, or those at the ascending indices ``chosen``.

    Indices follow the order of encoding. Ids have the type that the schema declares.
    """
    names, first = list(dict.fromkeys(names)), 0
    parts: dict[str, list[Any]] = {name: [] for name in names}
    for chunk, mask in rows.validation(names):
        held = np.flatnonzero(mask)
        if chosen is not None:
            low, high = np.searchsorted(chosen, [first, first + len(held)])
            held, first = held[chosen[low:high] - first], first + len(held)
        picked = np.zeros(chunk.rows, dtype=bool)
        picked[held] = True
        if len(held):
            raw = taken({name: chunk.columns[name] for name in names}, picked)
            for name, column in _declared(schema, raw).items():
                parts[name] += to_json(column)
    return {name: np.array([*values, None], dtype=object)[:-1] for name, values in parts.items()}


def _declared(schema: Schema, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Raw columns with ids converted to the schema's declared type, as fusions see them in serving."""
    declared = dict(columns)
    for name, feature in schema.features.items():
        column = schema.column(name)
        if column in declared:
            declared[column] = feature.as_declared(declared[column], column)
    return declared
