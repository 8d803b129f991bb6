"""``ranker-train pareto``: a front of trade-offs."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def pareto(
    config: Annotated[Path, typer.Argument(help="The experiment whose balancing is varied, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for artifacts, trainings and the report.")],
    points: Annotated[int, typer.Option(help="Settings of each method: equal ones, extremes, then evenly spread.")],
    method: Annotated[
        list[str] | None, typer.Option(help="`pe_ltr` (bounds), `static`, `smooth_tchebycheff`; may be repeated.")
    ] = None,
    total: Annotated[float, typer.Option(help="Sum of PE-LTR's bounds; what is left of 1 it balances itself.")] = 0.8,
    objectives: Annotated[
        str | None, typer.Option(help="`click.auc,watch.rmse`; by default the AUC, or RMSE, of every task.")
    ] = None,
    pick: Annotated[str | None, typer.Option(help="`least_misery` (the default), `knee` or `preference`.")] = None,
    prefer: Annotated[
        str | None, typer.Option(help="`click=2,like=1`: what each objective counts, 1 if not named; picks by it.")
    ] = None,
    more: More = None,
    data: Paths = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="More data to measure on, not to choose by; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Models trained at the same time, sharing the CPU's threads.")] = 1,
) -> None:
    """Train under many preferences over the tasks, draw the front of the best trade-offs, pick one and export it.

    Stopped, it goes on where it was when the same command is given again; more points, another rule or other
    objectives train only what is new.
    """
    from training.config import load
    from training.sweeps import pareto as fronts

    base = load(config)
    choice = fronts.choice(base, objectives, pick, prefer)
    cells = fronts.expand(base, points, total, method or ["pe_ltr"])
    check_folder("--output", output)
    with quiet_imports():
        from training.commands import pareto as command

    source = sources(data, more) or [Path(path) for path in base.data.paths]
    _, artifact = command.pareto(base, cells, choice, source, test or [], output, jobs, console)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]    serve it: ranker-serve {output}")
