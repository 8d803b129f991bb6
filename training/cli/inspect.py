"""``ranker-train inspect``: a model's blocks, gates and precisions."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.quiet_imports import quiet_imports


def inspect(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    depth: Annotated[int, typer.Option(min=0, max=8, help="How many levels of nested blocks to show.")] = 2,
) -> None:
    """Print a model's blocks (output width, parameters, FLOPs per request and per candidate) and its gates.

    For each engine and precision of this machine it also prints how far rankings agree with the exported scores.
    """
    with quiet_imports():
        from training.commands.inspect import inspect_artifact

    inspect_artifact(artifact, depth, console)
