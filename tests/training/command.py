"""``ranker-train`` as a person types it, in this process: TensorFlow is loaded already."""

from typing import NamedTuple

from typer.testing import CliRunner

from training.cli import app
from training.cli.terminal import console

WIDTH = 160


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def ranker_train(*arguments: object, **environment: object) -> Ended:
    """Run it. Raises what the command does not report."""
    console.width = WIDTH  # whatever COLUMNS was as they were made
    variables = {name: str(value) for name, value in environment.items()}
    found = CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ended(found.exit_code, found.stdout, found.stderr)
