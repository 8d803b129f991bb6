"""Runs pending trials in parallel, each in its own process; a failure affects only its own trial."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ranker.log_files.log_reader import Source
from ranker.metrics import headline
from training.config.distribute import check_alone
from training.data.cache import files, fingerprint
from training.data.experiment_log import open_log
from training.display import bars, show_notes
from training.own_process import KilledError, in_own_process
from training.quiet_imports import TRAINING
from training.sweeps.run_trial import finished, key, run_trial
from training.sweeps.trial import Trial, TrialResult


def run_trials(
    trials: Sequence[Trial],
    source: Source,
    test: Source,
    output: Path,
    jobs: int,
    console: Console,
    progress: Progress,
    *,
    onnx: bool = False,
    done: Callable[[TrialResult], None] = lambda _: None,
) -> list[TrialResult]:
    """Train and evaluate every trial in its own folder under ``output``; finished trials are not run again.

    Trials with the same schema, split and seed share their encoded rows. Each leaves its checkpoints, and with ``onnx``
    its ONNX model. ``done`` is called with each trial as soon as it finishes. Raises ``DataError`` if the log cannot be
    used, and ``ConfigError`` if a trial needs several processes.
    """
    for trial in trials:
        check_alone(trial.experiment.training.distribute, "a comparison")
    log = open_log(trials[0].experiment, source)
    tested = open_log(trials[0].experiment, test) if len(test) else None
    show_notes(console, log, *([tested] if tested else []))
    tasks = list(trials[0].experiment.log_schema.tasks)
    folders = [output / trial.folder for trial in trials]
    rows = [output / "rows" / fingerprint(trial.experiment, log)[:16] for trial in trials]
    about_test = tested.fingerprint() if tested else None
    keys = [key(trial.experiment, [files(trial.experiment, log), about_test]) for trial in trials]
    results: dict[int, dict[str, Any]] = {}
    for i, folder in enumerate(folders):
        earlier = finished(folder, keys[i])
        if earlier is not None:
            results[i] = earlier
    for i, result in results.items():
        done(TrialResult(trials[i], folders[i], rows[i], result))
    if results:
        console.print(f"{len(results)} of {len(trials)} trials are already done in {output}")
    paths, test_paths = [str(p) for p in log.paths()], [str(p) for p in tested.paths()] if tested else []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    output.mkdir(parents=True, exist_ok=True)
    pending = [i for i in range(len(trials)) if i not in results]
    if len(pending) > 1:
        console.print(
            f"{len(pending)} trials to run, {min(jobs, len(pending))} at a time; the first one gives a time estimate"
        )
    started = time.perf_counter()
    bar = progress.add_task("trials", total=len(trials), completed=len(results))
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[dict[str, Any]], int] = {}
        for i in pending:
            arguments = (trials[i].experiment.model_dump_json(by_alias=True), paths, test_paths, str(folders[i]))
            folders[i].mkdir(parents=True, exist_ok=True)
            about = (str(rows[i]), keys[i], threads, onnx)
            futures[pool.submit(_in_own_process, *arguments, *about)] = i
        try:
            for future in as_completed(futures):
                i = futures[future]
                results[i] = future.result()
                progress.advance(bar)
                console.print(_line(trials[i], results[i], tasks))
                left = len(trials) - len(results)
                if left and left == len(pending) - 1:
                    each = time.perf_counter() - started
                    console.print(f"about {_duration(max(each, each * left / jobs))} left for {left} more")
                done(TrialResult(trials[i], folders[i], rows[i], results[i]))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [TrialResult(trial, folders[i], rows[i], results[i]) for i, trial in enumerate(trials)]


def progress_bars(console: Console) -> Progress:
    """Progress bars for trials and cost measurements."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return bars(console, *columns, TimeElapsedColumn(), TimeRemainingColumn())


def _in_own_process(*arguments: Any) -> dict[str, Any]:
    """Run one trial in a fresh process; a crash or kill becomes this trial's error."""
    try:
        result: dict[str, Any] = in_own_process(TRAINING, run_trial, *arguments)
    except KilledError as error:
        return {"error": f"{error} (fewer --jobs use less)"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return result


def _duration(seconds: float) -> str:
    """Format a rough duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _line(trial: Trial, result: dict[str, Any], tasks: Sequence[str]) -> str:
    name = escape(trial.name)
    if "error" in result:
        return f"[red]{name}, seed {trial.seed}: {escape(result['error'])}[/red]"
    reports = result["metrics"]["tasks"]
    metrics = {task: headline(reports[task]) for task in tasks}
    values = {task: None if metric is None else reports[task][metric.name] for task, metric in metrics.items()}
    shown = [f"{task} {float('nan') if value is None else value:.4f}" for task, value in values.items()]
    return f"{name}, seed {trial.seed}: {'  '.join(shown)}  ({result['seconds']:.0f} s)"
