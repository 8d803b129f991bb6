"""``ranker-train nightly``: the next version, from the days since, judged and published."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def nightly(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    log: Annotated[str, typer.Option(help="Folder or URL with a folder of each day, such as date=2026-01-31.")],
    models: Annotated[
        str, typer.Option(help="Folder of published versions in a store, such as s3://bucket/models.", metavar="URL")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run, which later nights go on with.")],
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day to train on; by default yesterday, in UTC.", metavar="DATE"),
    ] = None,
) -> None:
    """Carry the highest published version on with the days since, and publish the result if it is promoted.

    Exits with 3 if it is refused; its days are trained on again with the next. Run again, it does nothing twice.
    """
    check_folder("--output", output)
    from training.config import load

    experiment = load(config)
    with quiet_imports():
        from training.commands.nightly import nightly as command

    last = None if until is None else until.date()
    found = command(experiment, log, models, output=output, until=last, progress=console)
    if found.outcome == "refused":
        for line in found.why:
            typer.echo(f"not promoted: {line}", err=True)
        raise typer.Exit(REFUSED)
