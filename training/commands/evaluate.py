"""Evaluates an artifact on a log."""

from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from ranker.artifact import Artifact
from ranker.log_files.csv_types import of_kind
from ranker.log_files.log_reader import DataError, Source
from ranker.tasks import GivenConflicts
from training.commands.inputs import Data, Progress, artifact_of, console_of, source_of
from training.config.experiment import Experiment, SplitByFiles
from training.data.encode import encode_all, encode_held_out
from training.data.experiment_log import open_log
from training.data.label_counts import LabelCounts, meaning
from training.data.trained_on import held_out, overlap
from training.display import Display, metrics_table, show_notes
from training.evaluation.evaluate import measure, predict, undefined
from training.evaluation.onnx_scorer import onnx_scorer


def evaluate(
    artifact: str | Path | Artifact,
    data: Data = None,
    *,
    validation: bool = False,
    group_by: str | None = None,
    bootstrap: int = 200,
    given_conflicts: GivenConflicts | None = None,
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
        Evaluate only on the rows that the artifact's own split holds out.
    group_by
        Column for GAUC; by default the config's.
    bootstrap
        Resamples behind each 95 % interval; 0 for none.
    given_conflicts
        How to treat labels that contradict ``given``; by default as the config's tasks say.
    progress
        Whether to show progress, or the Rich console to show it on.

    Returns
    -------
    ``mean_auc``, metrics by task under ``tasks``, and warnings under ``cautions``, such as rows seen in training.

    Raises
    ------
    ArtifactError
        If the artifact cannot be read.
    DataError
        If the log cannot be used or has no such rows, or if many labels contradict ``given`` and neither the config
        nor ``given_conflicts`` says how to treat them.
    """
    loaded, console = artifact_of(artifact), console_of(progress)
    saved = Experiment.model_validate(loaded.manifest.experiment)
    rule = saved.data.split
    if validation and data is None and isinstance(rule, SplitByFiles):
        data = rule.paths
    with TemporaryDirectory() as folder:
        source = source_of(saved, data, Path(folder), console)
        return _evaluated(loaded, saved, source, validation, group_by, bootstrap, given_conflicts, console)


def _evaluated(
    artifact: Artifact,
    saved: Experiment,
    source: Source,
    validation: bool,
    group_by: str | None,
    bootstrap: int,
    given_conflicts: GivenConflicts | None,
    console: Console,
) -> dict[str, Any]:
    schema = meaning(artifact.schema, given_conflicts)
    counts = LabelCounts(schema)
    group_by = group_by or saved.evaluation.group_by
    encoder = artifact.encoder
    log = open_log(saved, source, encoder).typed(of_kind("id", [group_by]))
    show_notes(console, log)
    with Display(console) as display:
        display.expect(len(log))
        if validation:
            rows = held_out(artifact, log)
            chunks = encode_held_out(schema, encoder, rows, group_by, display.rows, counts)
        else:
            chunks = encode_all(schema, encoder, log, group_by, display.rows, counts)
        first = next(chunks, None)
        if first is None:
            raise DataError("the data has no row" + (" that the artifact's split holds out" if validation else ""))
        predictions = predict(onnx_scorer(artifact.model_path), chain([first], chunks))
        if unusable := predictions.not_finite(list(schema.tasks)):
            raise DataError(f"{artifact.folder}: scores of {', '.join(unusable)} are not finite in these rows")
        conflicting = counts.check_conflicts()
        metrics = measure(schema, predictions, bootstrap, saved.training.seed)
    for task, conflicts in counts.conflicts_of().items():
        metrics["tasks"][task]["given_conflicts"] = conflicts
    trained = [] if validation else overlap(artifact, log)
    metrics["cautions"] = [*trained, *conflicting, *undefined(metrics)]
    shown = f"{len(predictions.labels):,} {'held-out ' if validation else ''}rows"
    console.print(metrics_table(metrics, f"{artifact.folder} on {shown}"))
    for text in metrics["cautions"]:
        console.print(text, style="yellow", markup=False)
    return metrics
