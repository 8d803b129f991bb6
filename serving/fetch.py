"""``ranker-serve fetch``: an artifact from an object store to a folder, before the service starts on it."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    url: Annotated[
        str, typer.Argument(help="A version, or a folder of versions, such as s3://bucket/models.", metavar="URL")
    ],
    folder: Annotated[Path, typer.Argument(help="Folder of versions to copy to.")],
    version: Annotated[
        int | None,
        typer.Option(
            min=1, envvar="RANKER_SERVE_VERSION", help="Copy this version of the folder; by default the highest."
        ),
    ] = None,
) -> None:
    """Copy an artifact from an object store to `FOLDER/VERSION`, where it appears once every checksum is right.

    Run again, it copies nothing that is there and right.
    """
    from ranker.artifact_store import fetch as fetched

    typer.echo(f"fetched: {fetched(url, folder, version)}")
