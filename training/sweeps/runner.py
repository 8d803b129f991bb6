"""Runs the cells that are not done, several at a time; what goes wrong with one is that cell's alone."""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ranker.metrics import headline
from training.data.cache import files, fingerprint
from training.data.experiment_log import open_log
from training.data.log_reader import Source
from training.display import bars, show_notes
from training.quiet_imports import TRAINING, import_quietly
from training.sweeps.run_trial import finished, key, run_cell
from training.sweeps.trial import Cell, Trained


def run_cells(
    cells: Sequence[Cell],
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
    progress: Progress,
    *,
    onnx: bool = False,
    done: Callable[[Trained], None] = lambda _: None,
) -> list[Trained]:
    """Train and measure every cell in a folder of its own below ``output``; cells done earlier are not run again.

    Cells of one schema, split and seed share their encoded rows. Each leaves its checkpoints, and with ``onnx`` its
    model as ONNX. ``done`` is called with each cell as soon as its result is there. Raises ``DataError`` for a log that
    cannot be used.
    """
    log = open_log(cells[0].experiment, source)
    tested = open_log(cells[0].experiment, test) if len(test) else None
    show_notes(console, log, *([tested] if tested else []))
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
    for i, result in results.items():
        done(Trained(cells[i], folders[i], rows[i], result))
    if results:
        console.print(f"{len(results)} of {len(cells)} cells are done already in {output}")
    paths, test_paths = [str(p) for p in log.paths()], [str(p) for p in tested.paths()] if tested else []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    output.mkdir(parents=True, exist_ok=True)
    pending = [i for i in range(len(cells)) if i not in results]
    if len(pending) > 1:
        console.print(
            f"{len(pending)} trainings, {min(jobs, len(pending))} at a time; the first tells how long they take"
        )
    started = time.perf_counter()
    bar = progress.add_task("cells", total=len(cells), completed=len(results))
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[dict[str, Any]], int] = {}
        for i in pending:
            arguments = (cells[i].experiment.model_dump_json(by_alias=True), paths, test_paths, str(folders[i]))
            folders[i].mkdir(parents=True, exist_ok=True)
            about = (str(rows[i]), keys[i], threads, onnx)
            futures[pool.submit(_in_own_process, *arguments, *about)] = i
        try:
            for future in as_completed(futures):
                i = futures[future]
                results[i] = future.result()
                progress.advance(bar)
                console.print(_line(cells[i], results[i], tasks))
                left = len(cells) - len(results)
                if left and left == len(pending) - 1:
                    each = time.perf_counter() - started
                    console.print(f"about {_duration(max(each, each * left / jobs))} to go for {left} more")
                done(Trained(cells[i], folders[i], rows[i], results[i]))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [Trained(cell, folders[i], rows[i], results[i]) for i, cell in enumerate(cells)]


def progress_bars(console: Console) -> Progress:
    """Bars for cells, and for whatever else a job counts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return bars(console, *columns, TimeElapsedColumn(), TimeRemainingColumn())


def _in_own_process(*arguments: Any) -> dict[str, Any]:
    """Train one cell. Whatever goes wrong, be it the process' death, is this cell's alone."""
    # A fresh process for each cell: TensorFlow keeps what one model needed until its process ends.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=import_quietly, initargs=(TRAINING,)) as process:
        try:
            return process.submit(run_cell, *arguments).result()
        except BrokenProcessPool:
            return {"error": "its process was killed; out of memory? (fewer --jobs need less)"}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


def _duration(seconds: float) -> str:
    """A rough time: in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _line(cell: Cell, result: dict[str, Any], tasks: Sequence[str]) -> str:
    name = escape(cell.name)
    if "error" in result:
        return f"[red]{name}, seed {cell.seed}: {escape(result['error'])}[/red]"
    reports = result["metrics"]["tasks"]
    values = {task: reports[task][headline(reports[task]).name] for task in tasks}
    shown = [f"{task} {float('nan') if value is None else value:.4f}" for task, value in values.items()]
    return f"{name}, seed {cell.seed}: {'  '.join(shown)}  ({result['seconds']:.0f} s)"
