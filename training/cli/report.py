"""``ranker-train report``: one page about an artifact."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def report(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: then the latest.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="By default report-VERSION.html beside the artifact."),
    ] = None,
) -> None:
    """Write one page about an artifact: quality, calibration, training, what its fusion trades, and sliders to move it.

    The page needs no network and no log: artifacts carry a sample of their validation rows.
    """
    if output is not None:
        check_file("--output", output)
    with quiet_imports():
        from training.commands.report import report_artifact

    page = report_artifact(artifact, output, console)
    console.print(f"report: [bold]{page}[/bold]")
