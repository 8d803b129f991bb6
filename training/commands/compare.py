"""Runs the trials of a grid, then measures costs and writes the report."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from ranker.artifact import Artifact
from ranker.log_files.log_reader import Log, Source
from training.commands.export import export_once
from training.commands.inputs import Config, Data, console_of, experiment_of, source_of
from training.commands.inputs import Progress as Shown
from training.config.experiment import Experiment
from training.data.experiment_log import open_log
from training.sweeps import Trial, TrialResult
from training.sweeps.compare.best import Best
from training.sweeps.compare.costs import ROUNDS, measure_costs
from training.sweeps.compare.grid import expand, variations
from training.sweeps.compare.summary import Row, summarise, table, to_markdown
from training.sweeps.run_trial import has_weights
from training.sweeps.runner import progress_bars, run_trials
from training.trainer.run_folder import RESULT

RESULTS = "results.json"
REPORT = "report.html"
MARKDOWN = "results.md"


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    Attributes
    ----------
    rows
        One per variation, in the order of the grid: quality by task and metric over seeds, costs, errors.
    report
        Path of the HTML report.
    artifact
        The artifact that ``export_best`` exported, if requested.
    """

    rows: list[Row]
    report: Path
    artifact: Artifact | None = None

    def to_frame(self) -> pd.DataFrame:
        """One row per variation: its values, the mean AUC, metrics as ``TASK.METRIC``, averaged over seeds."""
        return pd.DataFrame([row.flat() for row in self.rows], index=[row.name for row in self.rows])


def compare(
    config: Config,
    data: Data = None,
    *,
    vary: Mapping[str, Sequence[Any]] | Sequence[str],
    output: str | Path,
    seeds: int = 1,
    test: Data = None,
    jobs: int = 1,
    best_by: str | None = None,
    export_best: str | Path | None = None,
    progress: Shown = True,
) -> Comparison:
    """Train and evaluate every combination of the values, each in its own process, and write one report.

    Call it again to resume an interrupted comparison.

    Parameters
    ----------
    config
        The base experiment: the path of a YAML file, its content as a dict, or an ``Experiment``.
    data
        A DataFrame, an Arrow table, or files, folders and globs; by default the config's.
    vary
        Values to try by config key, dotted for nested keys: ``{"architecture": ["mmoe", "ple"]}``; ``{"weighting":
        "all"}`` tries a whole registry. Or strings as on the command line: ``["architecture=mmoe,ple"]``.
    output
        Folder for the trials and the report.
    seeds
        Number of seeds to train each variation with.
    test
        Data to evaluate on instead of the validation split.
    jobs
        Trials to run in parallel, sharing the CPU's threads.
    best_by
        Metric that selects the best trial on validation rows, such as ``mean_auc``, ``like.gauc`` or ``like.ndcg@10``;
        by default early stopping's. The best trial keeps its weights.
    export_best
        Folder to export the best trial to as the next version, without retraining.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If the config is invalid, or a key or value cannot be varied.
    DataError
        If the log cannot be used. The report lists failed trials with their errors; the others continue.
    """
    base, console, output = experiment_of(config), console_of(progress), Path(output)
    best = Best(base, best_by)
    base = base.measuring([best.metric])
    trials = expand(base, variations(vary), seeds)
    source = source_of(base, data, output, console)
    tested = source_of(base, test, output / "test", console) if test is not None else []
    return _compared(base, trials, source, tested, output, jobs, console, best, export_best)


def _compared(
    base: Experiment,
    trials: Sequence[Trial],
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
    best: Best,
    export_best: str | Path | None,
) -> Comparison:
    with progress_bars(console) as progress:
        done = run_trials(trials, source, test, output, jobs, console, progress, onnx=True, done=best.offer)
        results = {i: trained.result for i, trained in enumerate(done)}
        _write(output, base, summarise(trials, results, {}))  # kept even if measuring costs fails
        costs = _costs(done, open_log(base, source), progress)
    summary, artifact = summarise(trials, results, costs), None
    _write(output, base, summary)
    console.print(table(summary))
    console.print(f"report: [bold]{output / REPORT}[/bold]    numbers: {output / RESULTS}, {output / MARKDOWN}")
    if export_best is not None:
        picked = best.result
        if not has_weights(picked.folder):  # an earlier comparison used another metric
            console.print(f"the weights of {picked.trial.name} were deleted before: training it again", markup=False)
            (picked.folder / RESULT).unlink()
            with progress_bars(console) as progress:
                again = run_trials([picked.trial], source, test, output, 1, console, progress, onnx=True)
            if again[0].error is not None:
                raise RuntimeError(f"the best trial could not be trained again: {again[0].error}")
        artifact = export_once(picked, Path(export_best), console)
    elif best:
        console.print(
            f"best by {best.metric}: {best.result.trial.name}, seed {best.result.trial.seed} (--export-best DIR)",
            markup=False,
        )
    return Comparison(summary, output / REPORT, artifact)


def _costs(done: Sequence[TrialResult], log: Log, progress: Progress) -> dict[str, dict[str, Any]]:
    """Costs by trial name, measured on the first seed that was trained."""
    first: dict[str, TrialResult] = {}
    for trained in done:
        if trained.error is None:
            first.setdefault(trained.trial.name, trained)
    chosen = list(first.values())
    bar = progress.add_task("costs", total=ROUNDS * len(chosen))
    measured = measure_costs(
        [trained.trial for trained in chosen],
        [trained.folder for trained in chosen],
        [trained.rows for trained in chosen],
        log,
        lambda: progress.advance(bar),
    )
    return dict(zip(first, measured, strict=True))


def _write(output: Path, base: Experiment, summary: list[Row]) -> None:
    from training.reports.compare import to_html  # lazy: trial processes need no charts

    content = {"written": time.strftime("%Y-%m-%d"), "rows": [row.to_dict() for row in summary]}
    (output / RESULTS).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (output / MARKDOWN).write_text(to_markdown(summary), encoding="utf-8")
    (output / REPORT).write_text(to_html(base, summary), encoding="utf-8")
