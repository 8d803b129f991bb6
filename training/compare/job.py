"""Runs the cells that are not done, several at a time, then measures costs and writes the report."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.compare.cell import finished, key, run_cell
from training.compare.cost import ROUNDS, measure_costs
from training.compare.grid import Cell
from training.compare.summary import Row, summarise, table, to_markdown
from training.config import Experiment
from training.log import Log, Source
from training.quiet import import_training
from training.rows import files, fingerprint

RESULTS = "results.json"
REPORT = "report.html"
MARKDOWN = "results.md"


def compare(
    base: Experiment, cells: Sequence[Cell], source: Source, test: Source, output: Path, jobs: int, console: Console
) -> list[Row]:
    """Train, measure and report every cell of ``base``'s grid. A comparison that was stopped goes on where it was.

    Cells of one schema, split and seed share their encoded rows. Raises ``DataError`` for a log that cannot be used;
    a cell that fails is named in the report with its error, and the others go on.
    """
    log = Log(source)
    tested = Log(test) if len(test) else None
    tasks = list(cells[0].experiment.log_schema.tasks)
    folders = [output / cell.folder for cell in cells]
    rows = [output / "rows" / fingerprint(cell.experiment, log)[:16] for cell in cells]
    about_test = tested.fingerprint() if tested else None
    keys = [key(cell.experiment, [files(cell.experiment, log), about_test]) for cell in cells]
    results: dict[int, dict[str, Any]] = {}
    for i, folder in enumerate(folders):
        earlier = finished(folder, keys[i])
        if earlier is not None:
            results[i] = earlier
    if results:
        console.print(f"{len(results)} of {len(cells)} cells are done already in {output}")
    paths, test_paths = [str(p) for p in log.paths()], [str(p) for p in tested.paths()] if tested else []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    output.mkdir(parents=True, exist_ok=True)
    pending = [i for i in range(len(cells)) if i not in results]
    with _progress(console) as progress, ThreadPoolExecutor(jobs) as pool:
        bar = progress.add_task("cells", total=len(cells), completed=len(results))
        futures: dict[Future[dict[str, Any]], int] = {}
        for i in pending:
            arguments = (cells[i].experiment.model_dump_json(by_alias=True), paths, test_paths, str(folders[i]))
            folders[i].mkdir(parents=True, exist_ok=True)
            futures[pool.submit(_in_own_process, *arguments, str(rows[i]), keys[i], threads)] = i
        try:
            for future in as_completed(futures):
                i = futures[future]
                results[i] = future.result()
                progress.advance(bar)
                console.print(_line(cells[i], results[i], tasks))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        _write(output, base, summarise(cells, results, {}))  # whatever happens while costs are measured
        costs = _costs(cells, folders, rows, results, log, progress)
    summary = summarise(cells, results, costs)
    _write(output, base, summary)
    console.print(table(summary))
    console.print(f"report: [bold]{output / REPORT}[/bold]    numbers: {output / RESULTS}, {output / MARKDOWN}")
    return summary


def _in_own_process(*arguments: Any) -> dict[str, Any]:
    """Train one cell. Whatever goes wrong, be it the process' death, is this cell's alone."""
    # A fresh process for each cell: TensorFlow keeps what one model needed until its process ends.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=import_training) as process:
        try:
            return process.submit(run_cell, *arguments).result()
        except BrokenProcessPool:
            return {"error": "its process was killed; out of memory? (fewer --jobs need less)"}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def _costs(
    cells: Sequence[Cell],
    folders: Sequence[Path],
    rows: Sequence[Path],
    results: dict[int, dict[str, Any]],
    log: Log,
    progress: Progress,
) -> dict[str, dict[str, Any]]:
    """Costs by the cells' name, measured on the first seed that was trained."""
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
        log,
        lambda: progress.advance(bar),
    )
    return dict(zip(first, measured, strict=True))


def _write(output: Path, base: Experiment, summary: list[Row]) -> None:
    from training.compare.report import to_html  # here, so that the cells' processes import no charts

    content = {"written": time.strftime("%Y-%m-%d"), "rows": [row.to_dict() for row in summary]}
    (output / RESULTS).write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (output / MARKDOWN).write_text(to_markdown(summary), encoding="utf-8")
    (output / REPORT).write_text(to_html(base, summary), encoding="utf-8")


def _line(cell: Cell, result: dict[str, Any], tasks: Sequence[str]) -> str:
    name = escape(cell.name)
    if "error" in result:
        return f"[red]{name}, seed {cell.seed}: {escape(result['error'])}[/red]"
    reports = result["metrics"]["tasks"]
    shown = [f"{task} {reports[task].get('auc', reports[task].get('rmse')) or float('nan'):.4f}" for task in tasks]
    return f"{name}, seed {cell.seed}: {'  '.join(shown)}  ({result['seconds']:.0f} s)"


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True)
