"""The commands behind ``ranker-train``: each is a few steps with a display around them."""

import shutil
from itertools import chain
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rich.console import Console

from ranker.artifact import Artifact, load
from ranker.fusion.named import single_valued
from ranker.tasks import GivenConflicts
from training.blocks import Block, blocks
from training.build import build_model
from training.callbacks import STEPS
from training.config import Experiment, SplitByFiles
from training.data.csv_types import of_kind
from training.evaluate import measure, predict, undefined
from training.experiment_log import open_log, required_columns
from training.export import examples_of, export
from training.finished import check_replaceable, exported, key_of, mark_exported
from training.fit import RUN, Run, reopen, train
from training.fusions import calibration_page, fitted_fusions, learnt, notes
from training.label_counts import LabelCounts, meaning
from training.log import DataError, Source
from training.outputs import check_file
from training.pages.run import run_page
from training.prepare import columns_at, encode_all, encode_held_out, rows_of
from training.progress import Display, blocks_table, gates_table, metrics_table, show_notes
from training.report.kept import keep
from training.report.kept import read as opened
from training.report.sample import Indices
from training.session import onnx_scorer
from training.split import split
from training.trace import trace
from training.trained_on import held_out, overlap, trained_on
from training.watcher import Watcher

PAGE = "report.html"
CALIBRATION = "calibration.html"
REPORT = "report-{version}.html"


def run(experiment: Experiment, source: Source, output: Path, console: Console, *, restart: bool = False) -> Artifact:
    """Train, print the metrics of the best epoch, export; a run that was exported before is left as it is.

    Raises ``DataError`` where ``output`` holds an unfinished run of another config or data.
    """
    if restart:
        shutil.rmtree(output / RUN, ignore_errors=True)
    source = source if len(source) else list(experiment.data.paths)
    log, folder = open_log(experiment, source), output / RUN
    earlier, line = exported(folder, key_of(experiment, log))
    line = line or check_replaceable(folder, experiment, log)
    if line is not None:
        console.print(line, markup=False)
    if earlier is not None:
        return earlier
    _check_columns(experiment, source)
    with Display(console) as display:
        display.expect(len(log))
        watcher = Watcher(rows=display.rows, note=display.note, step=display.step, epoch=display.epoch)
        trained = train(experiment, source, output, watcher)
    artifact = _finish(trained, output, console)
    mark_exported(folder, artifact)
    return artifact


def export_run(folder: Path, output: Path, console: Console) -> Artifact:
    """Export the best epoch so far of a run in ``folder``."""
    return _finish(reopen(folder), output, console)


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


def inspect_artifact(path: Path, depth: int, console: Console) -> list[Block]:
    """Rebuild an artifact's model from its config and encoder, print and return its blocks."""
    artifact = load(path)
    model = build_model(Experiment.model_validate(artifact.manifest.experiment), artifact.encoder.layout)
    found = blocks(model, depth)
    console.print(blocks_table(found, str(artifact.folder)))
    gates = artifact.manifest.gates
    if gates.get("gates"):
        console.print(gates_table(gates))
        for warning in gates["warnings"]:
            console.print(warning, style="yellow", markup=False)
    return found


def report_artifact(path: Path, output: Path | None, console: Console) -> Path:
    """Write the page of an artifact, by default beside it, and return where.

    Raises ``ArtifactError``, and ``ValueError`` where no page can be written.
    """
    from training.report.page import to_html  # here: other commands need no charts of it

    artifact = load(path)
    page = output or artifact.folder.parent / REPORT.format(version=artifact.manifest.version)
    check_file("--output", page)
    with console.status(f"reading {artifact.folder}"):
        kept = opened(artifact.folder)
    with console.status("trying parameters of the fusion"):
        text = to_html(artifact, kept)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page


def _check_columns(experiment: Experiment, source: Source) -> None:
    """Raise ``DataError`` for a column that a fusion will be fitted to and that the log lacks: before training."""
    names, rule = required_columns(experiment), experiment.data.split
    if names:
        paths = rule.paths if isinstance(rule, SplitByFiles) else source
        next(open_log(experiment, paths).chunks(names), None)


def _finish(trained: Run, output: Path, console: Console) -> Artifact:
    console.print(metrics_table(trained.metrics, f"validation, epoch {trained.best_epoch} of {len(trained.history)}"))
    experiment = trained.experiment
    divided = split(trained.log, experiment.data.split, experiment.training.seed)
    rows = rows_of(experiment.log_schema, divided)
    examples = examples_of(rows, experiment)
    gates, curves = trained.gates.to_dict(), trace(trained.folder / STEPS)
    page = trained.folder / PAGE
    page.write_text(run_page(curves, trained.history, gates, trained.best_epoch), encoding="utf-8")
    console.print(f"losses, weights and gradients over time: [bold]{page}[/bold]")

    def caution(text: str) -> None:
        console.print(text, style="yellow", markup=False)

    needed = required_columns(experiment)
    with console.status("fitting fusions"):
        raw = columns_at(experiment.log_schema, rows, needed) if needed else {}
        fusions = fitted_fusions(experiment, trained.predictions, raw, caution)
    for text in notes(fusions):
        caution(text)
    for text in learnt(fusions):
        console.print(text, markup=False)
    reliability = calibration_page(experiment, fusions, trained.predictions)
    if reliability is not None:
        (output / CALIBRATION).write_text(reliability.html(), encoding="utf-8")
        console.print(f"calibration: {output / CALIBRATION}", markup=False)
    columns = {name: experiment.log_schema.column(name) for name in single_valued(experiment.log_schema)}

    def read(chosen: Indices) -> dict[str, NDArray[Any]]:
        found = columns_at(experiment.log_schema, rows, list(columns.values()), chosen)
        return {name: found[column] for name, column in columns.items()}

    grouped_by = experiment.evaluation.group_by
    kept = keep(trained.predictions, read, fusions, grouped_by, trained.history, trained.best_epoch, curves)
    encoder, metrics = trained.prepared.encoder, trained.metrics
    scores = trained.predictions.scores
    seen = trained_on(divided)
    return export(output, experiment, encoder, trained.model, fusions, metrics, examples, scores, gates, kept, seen)
