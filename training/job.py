"""The commands behind ``ranker-train``: each is a few steps with a display around them."""

import shutil
from pathlib import Path
from typing import Any

from rich.console import Console

from ranker.artifact import Artifact, load
from training.blocks import Block, blocks
from training.build import build_model
from training.callbacks import STEPS
from training.config import Experiment
from training.evaluate import measure, predict
from training.export import examples_of, export
from training.fit import RUN, Run, reopen, train
from training.fusions import calibration_page, fitted_fusions, notes
from training.log import Log, Source
from training.pages.run import run_page
from training.prepare import encode_all
from training.progress import Display, blocks_table, gates_table, metrics_table
from training.session import onnx_scorer
from training.split import split
from training.trace import trace
from training.watcher import Watcher

PAGE = "report.html"
CALIBRATION = "calibration.html"


def run(experiment: Experiment, source: Source, output: Path, console: Console, *, restart: bool = False) -> Artifact:
    """Train, print the metrics of the best epoch, export."""
    if restart:
        shutil.rmtree(output / RUN, ignore_errors=True)
    source = source if len(source) else list(experiment.data.paths)
    with Display(console) as display:
        display.expect(len(Log(source)))
        watcher = Watcher(rows=display.rows, note=display.note, step=display.step, epoch=display.epoch)
        trained = train(experiment, source, output, watcher)
    return _finish(trained, output, console)


def export_run(folder: Path, output: Path, console: Console) -> Artifact:
    """Export the best epoch so far of a run in ``folder``."""
    return _finish(reopen(folder), output, console)


def evaluate_artifact(
    path: Path, source: Source, group_by: str | None, bootstrap: int, console: Console
) -> dict[str, Any]:
    """Score every row of a log with an artifact's own graph, print and return the metrics."""
    artifact = load(path)
    saved = Experiment.model_validate(artifact.manifest.experiment)
    group_by = group_by or saved.evaluation.group_by
    log = Log(source)
    with Display(console) as display:
        display.expect(len(log))
        chunks = encode_all(artifact.schema, artifact.encoder, log, group_by, display.rows)
        predictions = predict(onnx_scorer(artifact.model_path), chunks)
        metrics = measure(artifact.schema, predictions, bootstrap, saved.training.seed)
    console.print(metrics_table(metrics, f"{artifact.folder} on {len(predictions.labels):,} rows"))
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


def _finish(trained: Run, output: Path, console: Console) -> Artifact:
    console.print(metrics_table(trained.metrics, f"validation, epoch {trained.best_epoch} of {len(trained.history)}"))
    experiment = trained.experiment
    rows = split(trained.log, experiment.data.split, experiment.training.seed)
    examples = examples_of(rows, experiment)
    gates = trained.gates.to_dict()
    page = trained.folder / PAGE
    page.write_text(
        run_page(trace(trained.folder / STEPS), trained.history, gates, trained.best_epoch), encoding="utf-8"
    )
    console.print(f"losses, weights and gradients over time: [bold]{page}[/bold]")
    fusions = fitted_fusions(experiment, trained.predictions)
    for note in notes(fusions):
        console.print(note, style="yellow", markup=False)
    reliability = calibration_page(experiment, fusions, trained.predictions)
    if reliability is not None:
        (output / CALIBRATION).write_text(reliability.html(), encoding="utf-8")
        console.print(f"calibration: {output / CALIBRATION}", markup=False)
    scores = trained.predictions.scores
    return export(
        output, experiment, trained.prepared.encoder, trained.model, fusions, trained.metrics, examples, scores, gates
    )
