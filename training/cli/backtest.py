"""``ranker-train backtest``: train day by day on the past, score each next day."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def backtest(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the models and the report.")],
    days: Annotated[int, typer.Option(min=1, help="Number of days to score, from the end of the log.")],
    mode: Annotated[
        Literal["full", "incremental", "both"],
        typer.Option(help="Train from scratch on all days before, or on from the model before, on the days since."),
    ] = "both",
    every: Annotated[int, typer.Option(min=1, help="Train every so many days.")] = 1,
    window: Annotated[
        int | None, typer.Option(min=1, help="Most days that a model from scratch is trained on.")
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0.001, max=0.9, help="Fraction of rows held out in place of a split by time.")
    ] = 0.05,
    validation_days: Annotated[
        int | None, typer.Option(min=1, help="Hold out the last days of each model's rows instead; needs --mode full.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 1,
    more: More = None,
    data: Paths = None,
) -> None:
    """Score each of the last days of a log with a model trained on the days before it, and write one report.

    Run the same command again to resume an interrupted backtest.
    """
    check_folder("--output", output)
    from training.config import load

    experiment = load(config)
    with quiet_imports():
        from training.commands.backtest import backtest as command

    command(
        experiment, sources(data, more), days=days, output=output,
        modes=("full", "incremental") if mode == "both" else (mode,),
        every=every, window=window, validation=validation, validation_days=validation_days, seeds=seeds,
        progress=console,
    )  # fmt: skip
