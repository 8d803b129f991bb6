"""``ranker-train compare``: a grid of config variations."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def compare(
    config: Annotated[Path, typer.Argument(help="The base experiment, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the trials and the report.")],
    vary: Annotated[
        list[str],
        typer.Option(help="KEY=VALUE,VALUE: `architecture=mmoe,ple`, `weighting=all`, `training.batch_size=512,4096`."),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds to train each variation with.")] = 1,
    more: More = None,
    data: Paths = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Data to measure on instead of the validation split; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trials to run in parallel, sharing the CPU's threads.")] = 1,
    export_best: Annotated[
        Path | None, typer.Option(help="Export the best trial as the next version in this folder, without retraining.")
    ] = None,
    best_by: Annotated[
        str | None,
        typer.Option(help="Metric to select by, such as `like.gauc` or `like.ndcg@10`; by default early stopping's."),
    ] = None,
) -> None:
    """Train and evaluate every combination of the values, and write one report.

    Run the same command again to resume an interrupted comparison.
    """
    check_folder("--output", output)
    if export_best is not None:
        check_folder("--export-best", export_best)
    from training.config import load
    from training.sweeps.compare import expand, variations

    base = load(config)
    expand(base, variations(vary), seeds)
    with quiet_imports():
        from training.commands.compare import compare as command

    command(
        base, sources(data, more), vary=vary, output=output, seeds=seeds, test=test, jobs=jobs, best_by=best_by,
        export_best=export_best, progress=console,
    )  # fmt: skip
