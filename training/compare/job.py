"""Runs the cells that are not done, several at a time, then measures costs and writes the report."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.compare.cell import finished, key, run_cell
from training.compare.grid import Cell
from training.compare.summary import Row, summarise, table, to_markdown
from training.config import Experiment
from training.log import Log, Source
from training.quiet import import_training, quiet_imports
from training.rows import fingerprint

RESULTS = "results.json"
REPORT = "report.html"
MARKDOWN = "results.md"


def compare(
    cells: Sequence[Cell], source: Source, test: Source, output: Path, jobs: int, console: Console
) -> list[Row]:
    """Train, measure and report every cell. A comparison that was stopped goes on where it was.

    Cells of one schema, split and seed share their encoded rows. Raises ``DataError`` for a log that cannot be used;
    a cell that fails is named in the report with its error, and the others go on.
    """
    log = Log(source)
    facts = [log.fingerprint(), Log(test).fingerprint() if len(test) else None]
    tasks = list(cells[0].experiment.log_schema.tasks)
    folders = [output / cell.folder for cell in cells]
    rows = [output / "rows" / fingerprint(cell.experiment, log)[:16] for cell in cells]
    keys = [key(cell.experiment, facts) for cell in cells]
    results: dict[int, dict[str, Any]] = {}
    for i, folder in enumerate(folders):
        earlier = finished(folder, keys[i])
        if earlier is not None:
            results[i] = earlier
    if results:
        console.print(f"{len(results)} of {len(cells)} cells are done already in {output}")
    paths, test_paths = [str(p) for p in log.paths()], [str(p) for p in Log(test).paths()] if len(test) else []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    output.mkdir(parents=True, exist_ok=True)
    pending = [i for i in range(len(cells)) if i not in results]
    with _progress(console) as progress, _pool(jobs) as pool:
        bar = progress.add_task("cells", total=len(cells), completed=len(results))
        futures: dict[Future[dict[str, Any]], int] = {}
        for i in pending:
            arguments = (cells[i].experiment.model_dump_json(by_alias=True), paths, test_paths, str(folders[i]))
            folders[i].mkdir(parents=True, exist_ok=True)
            futures[pool.submit(run_cell, *arguments, str(rows[i]), keys[i], threads)] = i
        try:
            for future in as_completed(futures):
                i = futures[future]
                results[i] = _result(future)
                progress.advance(bar)
                console.print(_line(cells[i], results[i], tasks))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        costs = _costs(cells, folders, rows, results, progress)
    summary = summarise(cells, results, costs)
    _write(output, cells[0].experiment, summary, console)
    return summary


def _result(future: Future[dict[str, Any]]) -> dict[str, Any]:
    try:
        return future.result()
    except Exception as error:  # whatever it is, it is this cell's alone
        return {"error": f"{type(error).__name__}: {error}"}


def _costs(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    rows: Sequence[Path],
    results: dict[int, dict[str, Any]],
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Costs by the cells' name, measured on the first seed that was trained."""
    with quiet_imports():
        from training.compare.cost import ROUNDS, measure_costs

    first: dict[str, int] = {}
    for i, cell in enumerate(cells):
        if "error" not in results[i]:
            first.setdefault(cell.name, i)
    chosen = list(first.values())
    bar = progress.add_task("costs", total=ROUNDS * len(chosen))
    measured = measure_costs(
        [cells[i] for i in chosen],
        [folders[i] for i in chosen],
        [rows[i] for i in chosen],
        lambda: progress.advance(bar),
    )
    return dict(zip(first, measured, strict=True))


def _write(output: Path, experiment: Experiment, summary: list[Row], console: Console) -> None:
    from training.compare.report import to_html

    console.print(table(summary))
    content = {"written": time.strftime("%Y-%m-%d"), "rows": [row.to_dict() for row in summary]}
    (output / RESULTS).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (output / MARKDOWN).write_text(to_markdown(summary))
    (output / REPORT).write_text(to_html(experiment, summary), encoding="utf-8")
    console.print(f"report: [bold]{output / REPORT}[/bold]    numbers: {output / RESULTS}, {output / MARKDOWN}")


def _line(cell: Cell, result: dict[str, Any], tasks: Sequence[str]) -> str:
    if "error" in result:
        return f"[red]{cell.name}, seed {cell.seed}: {result['error']}[/red]"
    reports = result["metrics"]["tasks"]
    shown = [f"{task} {reports[task].get('auc', reports[task].get('rmse')) or float('nan'):.4f}" for task in tasks]
    return f"{cell.name}, seed {cell.seed}: {'  '.join(shown)}  ({result['seconds']:.0f} s)"


def _pool(jobs: int) -> ProcessPoolExecutor:
    # A fresh process for each cell: TensorFlow keeps what one model needed until its process ends.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1, initializer=import_training)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True)
