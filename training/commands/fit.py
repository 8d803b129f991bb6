"""Trains an experiment, shows how it goes, and exports its best epoch."""

import shutil
from pathlib import Path

from rich.console import Console

from ranker.artifact import Artifact
from training.commands.export import finish
from training.config.experiment import Experiment, SplitByFiles
from training.data.experiment_log import open_log, required_columns
from training.data.log_reader import Source
from training.display import Display
from training.listener import RunListener
from training.trainer.run_folder import check_replaceable, exported, key_of, mark_exported
from training.trainer.train import RUN, train


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
        listener = RunListener(rows=display.rows, note=display.note, step=display.step, epoch=display.epoch)
        trained = train(experiment, source, output, listener)
    artifact = finish(trained, output, console)
    mark_exported(folder, artifact)
    return artifact


def _check_columns(experiment: Experiment, source: Source) -> None:
    """Raise ``DataError`` for a column that a fusion will be fitted to and that the log lacks: before training."""
    names, rule = required_columns(experiment), experiment.data.split
    if names:
        paths = rule.paths if isinstance(rule, SplitByFiles) else source
        next(open_log(experiment, paths).chunks(names), None)
