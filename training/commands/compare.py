"""Runs the cells of a grid, then measures costs and writes the report."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress

from training.commands.export import export_once
from training.config.experiment import Experiment
from training.data.experiment_log import open_log
from training.data.log_reader import Log, Source
from training.sweeps import Cell, Trained, progress_bars, run_cells
from training.sweeps.compare.best import Best
from training.sweeps.compare.costs import ROUNDS, measure_costs
from training.sweeps.compare.summary import Row, summarise, table, to_markdown
from training.sweeps.run_trial import has_weights
from training.trainer.run_folder import RESULT

RESULTS = "results.json"
REPORT = "report.html"
MARKDOWN = "results.md"


def compare(
    base: Experiment,
    cells: Sequence[Cell],
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
    best_by: str | None = None,
    export_best: Path | None = None,
) -> list[Row]:
    """Train, measure and report every cell of ``base``'s grid. A comparison that was stopped goes on where it was.

    Of all cells, the one that is best by the metric ``best_by`` on the validation rows keeps its weights, and
    ``export_best`` exports it there; by default the metric is that of early stopping. Raises ``DataError`` for a log
    that cannot be used; a cell that fails is named in the report with its error, and the others go on.
    """
    best = Best(base, best_by)
    with progress_bars(console) as progress:
        done = run_cells(cells, source, test, output, jobs, console, progress, onnx=True, done=best.offer)
        results = {i: trained.result for i, trained in enumerate(done)}
        _write(output, base, summarise(cells, results, {}))  # whatever happens while costs are measured
        costs = _costs(done, open_log(base, source), progress)
    summary = summarise(cells, results, costs)
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
        export_once(picked, export_best, console)
    elif best:
        console.print(
            f"best by {best.metric}: {best.found.cell.name}, seed {best.found.cell.seed} (--export-best DIR)",
            markup=False,
        )
    return summary


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
