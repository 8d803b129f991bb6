"""Trains the missing trials, computes their Pareto front, picks a model and exports it."""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from ranker.artifact import Artifact, load
from ranker.log_files.log_reader import Source
from training.commands.export import export_trial
from training.config.experiment import Experiment
from training.data.cache import opened_rows
from training.data.encode import encode_all
from training.data.experiment_log import open_log
from training.sweeps import Trial, TrialResult
from training.sweeps.pareto.objectives import mean_label_baseline
from training.sweeps.pareto.request import Choice
from training.sweeps.pareto.summary import DOMINATED, Summary, summarise, table
from training.sweeps.run_trial import drop_weights, has_weights
from training.sweeps.runner import progress_bars, run_trials
from training.trainer.run_folder import RESULT

CELLS = "cells"
RESULTS = "pareto.json"
REPORT = "pareto.html"
EXPORTED = "picked.json"


def pareto(
    base: Experiment,
    trials: Sequence[Trial],
    choice: Choice,
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
) -> tuple[Summary, Artifact]:
    """Train every trial, compute the front over ``choice``'s objectives, export the picked model as the next version.

    Interrupted, it resumes; other objectives or another rule reuse the trained models. Weights of dominated models are
    deleted. Raises ``DataError`` if the log cannot be used and ``RuntimeError`` if every trial failed; the report lists
    failed trials, and the others continue.
    """
    with progress_bars(console) as progress:
        done = run_trials(trials, source, test, output / CELLS, jobs, console, progress)
        succeeded = [trained for trained in done if trained.error is None]
        if not succeeded:
            raise RuntimeError(f"no model could be trained; the first failed with: {done[0].error}")
        summary = summarise(choice, done, *_references(base, succeeded[0].rows, test))
        _write(output, base, choice, summary)
        picked = succeeded[summary.picked]
        if not has_weights(picked.folder):
            console.print("the picked model was dominated before and its weights were deleted: training it again")
            (picked.folder / RESULT).unlink()
            again = run_trials([picked.trial], source, test, output / CELLS, jobs, console, progress)
            if again[0].error is not None:
                raise RuntimeError(f"the picked model could not be trained again: {again[0].error}")
    for trained, model in zip(succeeded, summary.models, strict=True):
        if model.standing == DOMINATED:
            drop_weights(trained.folder)
    artifact = _exported(picked, output, console)
    console.print(table(summary, choice.objectives))
    volumes = "  ".join(f"{name} {volume:.6g}" for name, volume in summary.hypervolume.items())
    console.print(f"hypervolume: {volumes}")
    console.print(f"report: [bold]{output / REPORT}[/bold]    numbers: {output / RESULTS}")
    return summary, artifact


def _references(base: Experiment, rows: Path, test: Source) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Metrics of the mean-label baseline on the validation rows, and on the test rows if there are any."""
    prepared = opened_rows(base, rows)
    validated = mean_label_baseline(base, prepared.validation.chunks())
    if not len(test):
        return validated, None
    encoded = encode_all(
        base.log_schema, prepared.encoder, open_log(base, test, prepared.encoder), base.evaluation.group_by
    )
    return validated, mean_label_baseline(base, encoded)


def _write(output: Path, base: Experiment, choice: Choice, summary: Summary) -> None:
    from training.reports.pareto import to_html  # lazy: trial processes need no charts

    content = {"written": time.strftime("%Y-%m-%d"), "ranker": version("ranker"), **summary.to_dict()}
    (output / RESULTS).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (output / REPORT).write_text(to_html(base, choice, summary), encoding="utf-8")


def _exported(picked: TrialResult, output: Path, console: Console) -> Artifact:
    """Export the picked model, or return the artifact if an earlier call exported it."""
    record, key = output / EXPORTED, picked.result["key"]
    if record.is_file():
        earlier: dict[str, Any] = orjson.loads(record.read_bytes())
        if earlier["key"] == key and (output / str(earlier["version"])).is_dir():
            return load(output / str(earlier["version"]))
    artifact = export_trial(picked.folder, output, console)
    about = {"key": key, "version": artifact.manifest.version, "cell": picked.trial.name}
    record.write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return artifact
