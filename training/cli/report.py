"""``ranker-train report``: an artifact's report page."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def report(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="By default report-VERSION.html beside the artifact."),
    ] = None,
) -> None:
    """Write a report page: quality, calibration, training curves, the fusion's trade-offs, and sliders to try others.

    Neither the network nor the log is needed: artifacts carry a sample of their validation rows.
    """
    if output is not None:
        check_file("--output", output)
    with quiet_imports():
        from training.commands.report import report_artifact

    page = report_artifact(artifact, output, console)
    console.print(f"report: [bold]{page}[/bold]")
