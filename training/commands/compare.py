"""Runs the cells of a grid, then measures costs and writes the report."""

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
from training.commands.export import export_once
from training.commands.inputs import Config, Data, console_of, experiment_of, source_of
from training.commands.inputs import Progress as Shown
from training.config.experiment import Experiment
from training.data.experiment_log import open_log
from training.data.log_reader import Log, Source
from training.sweeps import Cell, Trained
from training.sweeps.compare.best import Best
from training.sweeps.compare.costs import ROUNDS, measure_costs
from training.sweeps.compare.grid import expand, variations
from training.sweeps.compare.summary import Row, summarise, table, to_markdown
from training.sweeps.run_trial import has_weights
from training.sweeps.runner import progress_bars, run_cells
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
        One a variation, in the order of the grid: quality by task and metric over seeds, costs, errors.
    report
        The page.
    artifact
        What ``export_best`` exported, if asked for.
    """

    rows: list[Row]
    report: Path
    artifact: Artifact | None = None

    def to_frame(self) -> pd.DataFrame:
        """A row a variation: its values, the mean AUC, each task's metrics as ``TASK.METRIC``; means over seeds."""
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
    """Train and measure every combination of the values, each in a process of its own, and write one report.

    A comparison that was stopped goes on where it was when it is called again.

    Parameters
    ----------
    config
        The experiment that is varied: the path of a YAML file, its content as a dict, or an ``Experiment``.
    data
        A DataFrame, an Arrow table, or files, folders and globs; by default the config's.
    vary
        Values to try by key of the config, dotted where it lies deeper: ``{"architecture": ["mmoe", "ple"]}``; a whole
        registry is ``{"weighting": "all"}``. Or texts as on the command line: ``["architecture=mmoe,ple"]``.
    output
        Folder for the trainings and the report.
    seeds
        Trainings of each variation, under as many seeds.
    test
        Data to measure on instead of the validation split.
    jobs
        Trainings at the same time, sharing the CPU's threads.
    best_by
        ``mean_auc``, ``like.gauc``, ...: which variation is best, on validation rows; by default early stopping's
        metric. The best one keeps its weights.
    export_best
        Folder to export the best one to as the next version, without training it again.
    progress
        Whether to show how it goes, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        For mistakes in the config, and for a key or value that cannot be varied.
    DataError
        For a log that cannot be used. A training that fails is named in the report with its error, and others go on.
    """
    base, console, output = experiment_of(config), console_of(progress), Path(output)
    best = Best(base, best_by)
    cells = expand(base, variations(vary), seeds)
    source = source_of(base, data, output, console)
    tested = source_of(base, test, output / "test", console) if test is not None else []
    return _compared(base, cells, source, tested, output, jobs, console, best, export_best)


def _compared(
    base: Experiment,
    cells: Sequence[Cell],
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
    best: Best,
    export_best: str | Path | None,
) -> Comparison:
    with progress_bars(console) as progress:
        done = run_cells(cells, source, test, output, jobs, console, progress, onnx=True, done=best.offer)
        results = {i: trained.result for i, trained in enumerate(done)}
        _write(output, base, summarise(cells, results, {}))  # whatever happens while costs are measured
        costs = _costs(done, open_log(base, source), progress)
    summary, artifact = summarise(cells, results, costs), None
    _write(output, base, summary)
    console.print(table(summary))
    console.print(f"report: [bold]{output / REPORT}[/bold]    numbers: {output / RESULTS}, {output / MARKDOWN}")
    if export_best is not None:
        picked = best.found
        if not has_weights(picked.folder):  # of an earlier comparison by another metric
            console.print(f"the weights of {picked.cell.name} were deleted before: training it again", markup=False)
            (picked.folder / RESULT).unlink()
            with progress_bars(console) as progress:
                again = run_cells([picked.cell], source, test, output, 1, console, progress, onnx=True)
            if again[0].error is not None:
                raise RuntimeError(f"the best cell could not be trained again: {again[0].error}")
        artifact = export_once(picked, Path(export_best), console)
    elif best:
        console.print(
            f"best by {best.metric}: {best.found.cell.name}, seed {best.found.cell.seed} (--export-best DIR)",
            markup=False,
        )
    return Comparison(summary, output / REPORT, artifact)


def _costs(done: Sequence[Trained], log: Log, progress: Progress) -> dict[str, dict[str, Any]]:
    """Costs by the cells' name, measured on the first seed that was trained."""
    first: dict[str, Trained] = {}
    for trained in done:
        if trained.error is None:
            first.setdefault(trained.cell.name, trained)
    chosen = list(first.values())
    bar = progress.add_task("costs", total=ROUNDS * len(chosen))
    measured = measure_costs(
        [trained.cell for trained in chosen],
        [trained.folder for trained in chosen],
        [trained.rows for trained in chosen],
        log,
        lambda: progress.advance(bar),
    )
    return dict(zip(first, measured, strict=True))


def _write(output: Path, base: Experiment, summary: list[Row]) -> None:
    from training.reports.compare import to_html  # here, so that the cells' processes import no charts

    content = {"written": time.strftime("%Y-%m-%d"), "rows": [row.to_dict() for row in summary]}
    (output / RESULTS).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (output / MARKDOWN).write_text(to_markdown(summary), encoding="utf-8")
    (output / REPORT).write_text(to_html(base, summary), encoding="utf-8")
