"""``ranker-train cluster``: run a command as one of the pods that train together."""

import os
from typing import Annotated

import typer

from training.commands.pods import INDEX, Pods


def cluster(
    command: Annotated[
        list[str],
        typer.Argument(help="What to run, after `--`: `ranker-train fit` with its arguments.", metavar="COMMAND"),
    ],
    name: Annotated[str, typer.Option(help="Name of the headless Service; pods are at `NAME-ROLE-INDEX.NAME`.")],
    workers: Annotated[int, typer.Option(help="Number of workers.")],
    servers: Annotated[int, typer.Option(help="Number of parameter servers; with some, there is a chief, too.")] = 0,
    role: Annotated[str, typer.Option(help="Role of this pod: worker, chief or server.")] = "worker",
    index: Annotated[
        int | None, typer.Option(envvar=INDEX, help="Number of this pod in its role, from 0.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(help="Port that every pod listens on.")] = 2222,
) -> None:
    """Run a command as one of the pods in Kubernetes that train together: sets TF_CONFIG for it."""
    if index is None:
        raise ValueError(f"--index: is not set, and neither is {INDEX}, which pods of an indexed Job have")
    os.environ["TF_CONFIG"] = Pods(name, workers, servers, port).config(role, index)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise ValueError(f"{command[0]}: cannot be run: {error.strerror}") from None
