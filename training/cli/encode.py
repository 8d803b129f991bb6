"""``ranker-train encode``: encode the rows of a log before ``fit`` does, in parallel."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.data_options import More, Paths, RayAddress, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def encode(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The output folder of the `fit` that follows.")],
    more: More = None,
    data: Paths = None,
    carried: Annotated[
        Path | None,
        typer.Option("--from", help="The artifact that `fit --from` will carry on.", metavar="ARTIFACT"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes of this machine that encode.")] = 1,
    ray: RayAddress = None,
) -> None:
    """Encode the rows of a log in parallel; `fit` with the same config, data and output then starts to train at once.

    The rows are those that `fit` would encode itself, byte for byte.
    """
    check_folder("--output", output)
    from training.config import load

    experiment = load(config)
    with quiet_imports():
        from training.commands.encode import encode as command

    paths = sources(data, more)
    found = command(
        experiment, paths, output=output, from_artifact=carried, processes=processes, ray=ray, progress=console
    )
    console.print(
        f"{found.folder}: {found.training:,} training rows and {found.validation:,} validation rows", markup=False
    )
