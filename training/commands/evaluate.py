"""Measures an artifact's scores on a log."""

from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console

from ranker.artifact import load
from ranker.tasks import GivenConflicts
from training.config.experiment import Experiment, SplitByFiles
from training.data.encode import encode_all, encode_held_out
from training.data.experiment_log import open_log
from training.data.files.csv_types import of_kind
from training.data.label_counts import LabelCounts, meaning
from training.data.log_reader import DataError, Source
from training.data.trained_on import held_out, overlap
from training.display import Display, metrics_table, show_notes
from training.evaluation.evaluate import measure, predict, undefined
from training.evaluation.onnx_scorer import onnx_scorer


def evaluate_artifact(
    path: Path,
    source: Source,
    group_by: str | None,
    bootstrap: int,
    console: Console,
    *,
    validation: bool = False,
    given_conflicts: GivenConflicts | None = None,
) -> dict[str, Any]:
    """Score every row of a log, or its ``validation`` rows, with an artifact's own graph, print and return metrics.

    ``cautions`` of the metrics say how many rows the artifact was trained on. ``given_conflicts`` takes the place of
    what the artifact's tasks say. Raises ``DataError`` for a log that cannot be used or has no such rows, and where
    many labels contradict `given` and neither says what is meant.
    """
    artifact = load(path)
    schema = meaning(artifact.schema, given_conflicts)
    counts = LabelCounts(schema)
    saved = Experiment.model_validate(artifact.manifest.experiment)
    group_by = group_by or saved.evaluation.group_by
    if not len(source):
        rule = saved.data.split
        source = list(rule.paths if validation and isinstance(rule, SplitByFiles) else saved.data.paths)
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
    told = f"{len(predictions.labels):,} {'held-out ' if validation else ''}rows"
    console.print(metrics_table(metrics, f"{artifact.folder} on {told}"))
    for text in metrics["cautions"]:
        console.print(text, style="yellow", markup=False)
    return metrics
