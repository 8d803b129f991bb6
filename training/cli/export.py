"""``ranker-train export``: the best epoch of a run."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def export(
    run: Annotated[Path, typer.Argument(help="The output folder of an interrupted or finished `fit`.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default the run's folder.")] = None,
) -> None:
    """Export a run's best epoch so far, without further training."""
    check_folder("--output", output or run)
    with quiet_imports():
        from training.commands.export import export_run

    artifact = export_run(run, output or run, console)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]")
