"""``ranker-train fit``: train and export."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import reported
from ranker.data_options import More, Paths, sources
from training.cli.terminal import STOPPED, console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def fit(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the artifacts and the run.")],
    more: More = None,
    data: Paths = None,
    carried: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Carry this artifact on, or the highest version in this folder: start from its weights, moments, "
            "vocabularies and statistics.",
            metavar="ARTIFACT",
        ),
    ] = None,
    restart: Annotated[bool, typer.Option(help="Discard an unfinished run instead of resuming it.")] = False,
) -> None:
    """Train, evaluate on the validation split, and export the artifact into the output folder.

    Run the same command again to resume an interrupted run.
    """
    check_folder("--output", output)
    from training.config import load

    experiment = load(config)
    with quiet_imports():
        from training.commands.fit import fit as command

    paths = sources(data, more)
    with ended_at_once() if experiment.training.distribute.name == "parameter_server" else nullcontext():
        run = command(experiment, paths, output=output, from_artifact=carried, restart=restart, progress=console)
        if run.exports:
            console.print(f"artifact: [bold]{run.export().folder}[/bold]    serve it: ranker-serve {output}")


@contextmanager
def ended_at_once() -> Iterator[None]:
    """End the process after the block; TensorFlow's connections to a process that was lost would keep it for ever."""
    status = 0
    try:
        with reported(STOPPED):
            yield
    except typer.Exit as error:
        status = error.exit_code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
