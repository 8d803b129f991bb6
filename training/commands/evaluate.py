"""Evaluates an artifact on a log."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from ranker.artifact import Artifact
from ranker.log_files.csv_types import of_kind
from ranker.log_files.log_reader import DataError, Source
from ranker.tasks import GivenConflicts
from training.commands.inputs import Data, Progress, artifact_of, console_of, source_of
from training.config.data import SplitByFiles
from training.config.experiment import Experiment
from training.config.metric_names import Metric
from training.data.batches import Batch
from training.data.encode import encode_with_columns
from training.data.every_row import EveryRow
from training.data.experiment_log import open_log
from training.data.label_counts import LabelCounts, meaning
from training.data.trained_on import check_held_out, held_out, none_held_out, overlap
from training.display import Display, groups_table, metrics_table, rankings_table, show_notes
from training.evaluation.by_feature import KEY, by_feature, packed_numbers, table
from training.evaluation.evaluate import measure, predict, undefined
from training.evaluation.onnx_scorer import onnx_scorer
from training.evaluation.ranked_rows import ListedRows, unlisted
from training.evaluation.ranking_request import RankingRequest, ranking_request


def evaluate(
    artifact: str | Path | Artifact,
    data: Data = None,
    *,
    validation: bool = False,
    group_by: str | None = None,
    bootstrap: int = 200,
    given_conflicts: GivenConflicts | None = None,
    fusion: str | Sequence[str] = (),
    metrics: str | Sequence[str] = (),
    relevance: str | Sequence[str] | Mapping[str, str] = (),
    list_by: str | Sequence[str] = (),
    progress: Progress = True,
) -> dict[str, Any]:
    """Score rows of a log with an artifact's ONNX graph, and compute every objective's metrics.

    Parameters
    ----------
    artifact
        A folder that ``fit`` exported to, the folder of one version, or an ``Artifact``.
    data
        A DataFrame, an Arrow table, or files, folders and globs; by default the config's.
    validation
        Evaluate only on the rows that the artifact's own split holds out; of a refitted model, on later rows.
    group_by
        Column for GAUC; by default the config's.
    bootstrap
        Resamples behind each 95 % interval; 0 for none.
    given_conflicts
        How to treat labels that contradict ``given``; by default as the config's tasks say.
    fusion
        Stored fusions whose rankings are measured within lists; ``all`` for every one.
    metrics
        Metrics of rankings: ``click.ndcg@10`` for the task's own score and for every ``fusion``,
        ``click.ndcg@10(rel)`` for the task's own score against another column, ``fused(default).auc(like)`` for one
        fusion. By default NDCG@10 and GAUC of every binary task, if ``fusion`` is given.
    relevance
        Formulas of columns and task labels to measure against, by name: ``{"rel": "5*booked + click"}``, or as text.
    list_by
        Columns whose values together identify a list; by default ``group_by``.
    progress
        Whether to show progress, or the Rich console to show it on.

    Returns
    -------
    ``mean_auc``, metrics by task under ``tasks``, and warnings under ``cautions``, such as rows seen in training; with
    ``fusion`` or ``metrics`` also ``rankings``: ``list_by``, ``lists``, ``rows``, ``rows_without_list``, and by name
    under ``metrics`` each metric's ``value``, ``interval``, and ``lists`` that define it.

    Raises
    ------
    ArtifactError
        If the artifact cannot be read.
    ConfigError
        If there is no such fusion or metric, or no column of lists.
    DataError
        If the log cannot be used or has no such rows, as after a refit, or if many labels contradict ``given`` and
        neither the config nor ``given_conflicts`` says how to treat them.
    """
    loaded, console = artifact_of(artifact), console_of(progress)
    saved = Experiment.model_validate(loaded.manifest.experiment)
    group_by = group_by or saved.evaluation.group_by
    formulas = [relevance] if isinstance(relevance, str) else relevance
    asked = ranking_request(loaded, _names(fusion), _names(metrics), formulas, _names(list_by), group_by)
    rule = saved.data.split
    if validation and isinstance(rule, SplitByFiles):
        check_held_out(loaded)
        data = rule.paths  # all of their rows are held out
    with TemporaryDirectory() as folder:
        source = source_of(saved, data, Path(folder), console)
        return _evaluated(loaded, saved, source, validation, group_by, bootstrap, given_conflicts, asked, console)


def _names(given: str | Sequence[str]) -> list[str]:
    """Names, of which one text may hold several, separated by commas."""
    texts = [given] if isinstance(given, str) else given
    return [name.strip() for text in texts for name in text.split(",")]


def _evaluated(
    artifact: Artifact,
    saved: Experiment,
    source: Source,
    validation: bool,
    group_by: str | None,
    bootstrap: int,
    given_conflicts: GivenConflicts | None,
    asked: RankingRequest | None,
    console: Console,
) -> dict[str, Any]:
    schema, seed = meaning(artifact.schema, given_conflicts), saved.training.seed
    counts = LabelCounts(schema)
    log = open_log(saved, source, artifact.encoder).typed(of_kind("id", [group_by]))
    log = log.typed(asked.kinds) if asked is not None else log
    listed = None if asked is None else ListedRows(schema, asked)
    show_notes(console, log)
    with Display(console) as display:
        display.expect(len(log))
        every = not validation or isinstance(saved.data.split, SplitByFiles)
        rows = EveryRow(log) if every else held_out(artifact, log)
        more = [] if asked is None else asked.log_columns
        encoded = encode_with_columns(schema, artifact.encoder, rows, more, group_by, display.rows, counts)
        by, numbers = saved.evaluation.by, []

        def collected() -> Iterator[Batch]:
            """The batches; their raw columns are added to ``listed``, and their numbers of ``by`` are kept."""
            for batch, raw in encoded:
                if listed is not None:
                    listed.add(batch, raw)
                if by is not None:
                    numbers.append(packed_numbers(artifact.encoder, by, batch))
                yield batch

        chunks = collected()
        first = next(chunks, None)
        if first is None:
            raise DataError(none_held_out(artifact) if validation else "the data has no row")
        predictions = predict(onnx_scorer(artifact.model_path), chain([first], chunks), schema)
        if unusable := predictions.not_finite(list(schema.tasks)):
            raise DataError(f"{artifact.folder}: scores of {', '.join(unusable)} are not finite in these rows")
        conflicting = counts.check_conflicts()
        metrics = measure(schema, predictions, bootstrap, seed, _measurable(saved, artifact), artifact.fusions)
        if by is not None:
            groups = saved.evaluation.by_groups
            metrics[KEY] = by_feature(artifact.encoder, by, groups, predictions, np.concatenate(numbers))
        if asked is not None and listed is not None:
            display.expect(len(asked.metrics))
            metrics["rankings"] = listed.measured(
                predictions, bootstrap, seed, lambda done: display.rows("measure rankings", done)
            )
    for task, conflicts in counts.conflicts_of().items():
        metrics["tasks"][task]["given_conflicts"] = conflicts
    trained = [] if validation else overlap(artifact, log)
    metrics["cautions"] = [*trained, *conflicting, *undefined(metrics)]
    shown = f"{len(predictions.labels):,} {'held-out ' if validation else ''}rows"
    console.print(metrics_table(metrics, f"{artifact.folder} on {shown}"))
    if by is not None:
        console.print(groups_table(*table(metrics[KEY]), title=f"by {by}"))
    if asked is not None:
        metrics["cautions"] += unlisted(metrics["rankings"])
        console.print(rankings_table(metrics["rankings"], asked.metrics))
    for text in metrics["cautions"]:
        console.print(text, style="yellow", markup=False)
    return metrics


def _measurable(saved: Experiment, artifact: Artifact) -> list[Metric]:
    """The config's metrics within lists, without those of fusions that a search has replaced by ones with features."""
    able = [name for name, plan in artifact.fusions.items() if not plan.features]
    return [metric for metric in saved.list_metrics if metric.fusion is None or metric.fusion in able]
