"""``ranker-train evaluate``: an artifact's metrics on a log."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def evaluate(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    more: More = None,
    data: Paths = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics to this file.")] = None,
    group_by: Annotated[str | None, typer.Option(help="Column for GAUC; by default the config's.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples behind each interval; 0 for none.")] = 200,
    validation: Annotated[
        bool, typer.Option("--validation", help="Evaluate only on rows that the artifact's own split holds out.")
    ] = False,
    given_conflicts: Annotated[
        Literal["drop", "mask", "keep"] | None,
        typer.Option(help="How to treat labels that contradict `given`; by default as the config's tasks say."),
    ] = None,
) -> None:
    """Evaluate an artifact on a log, per objective: on every row, or on held-out rows with `--validation`.

    A warning says how many of the rows the artifact was trained on.
    """
    if json_file is not None:
        check_file("--json", json_file)
    with quiet_imports():
        from training.commands.evaluate import evaluate as command

    metrics = command(
        artifact, sources(data, more) or None, validation=validation, group_by=group_by, bootstrap=bootstrap,
        given_conflicts=given_conflicts, progress=console,
    )  # fmt: skip
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(metrics, indent=2) + "\n")
        console.print(f"metrics: {json_file}")
