"""``ranker-train publish``: an artifact to an object store."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.quiet_imports import quiet_imports


def publish(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: the latest.")],
    url: Annotated[
        str, typer.Argument(help="Folder of versions in a store, such as s3://bucket/models.", metavar="URL")
    ],
) -> None:
    """Copy an artifact to an object store, from where ranker-serve and every command can read it."""
    with quiet_imports():
        from training.commands.publish import publish as published

    console.print(f"published: [bold]{published(artifact, url)}[/bold]")
