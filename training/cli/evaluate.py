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
    fusion: Annotated[
        list[str] | None,
        typer.Option(help="Also measure the rankings of these fusions within lists; `all` for every stored one."),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="Of rankings: `click.ndcg@10, rel.ndcg@10, fused(default).auc(like)`; may be repeated. Default with "
            "`--fusion`: NDCG@10 and GAUC of every binary task."
        ),
    ] = None,
    relevance: Annotated[
        list[str] | None,
        typer.Option(help="A formula that metrics may name, such as `rel = 5*booked + click`; may be repeated."),
    ] = None,
    list_by: Annotated[
        list[str] | None,
        typer.Option(help="Column of the lists, such as a search id; several, by commas. Default: that for GAUC."),
    ] = None,
) -> None:
    """Evaluate an artifact on a log, per objective: on every row, or on held-out rows with `--validation`.

    A warning says how many of the rows the artifact was trained on.
    """
    if json_file is not None:
        check_file("--json", json_file)
    with quiet_imports():
        from training.commands.evaluate import evaluate as command

    found = command(
        artifact, sources(data, more) or None, validation=validation, group_by=group_by, bootstrap=bootstrap,
        given_conflicts=given_conflicts, fusion=fusion or [], metrics=metrics or [], relevance=relevance or [],
        list_by=list_by or [], progress=console,
    )  # fmt: skip
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(found, indent=2) + "\n")
        console.print(f"metrics: {json_file}")
