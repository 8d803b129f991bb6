"""``ranker-train pareto``: a Pareto front of trained models."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def pareto(
    config: Annotated[Path, typer.Argument(help="The base experiment, a YAML file; its weighting is varied.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for artifacts, trials and the report.")],
    points: Annotated[int, typer.Option(help="Preferences to train per method: equal, extremes, then evenly spread.")],
    method: Annotated[
        list[str] | None, typer.Option(help="`pe_ltr` (bounds), `static`, `smooth_tchebycheff`; may be repeated.")
    ] = None,
    total: Annotated[float, typer.Option(help="Sum of PE-LTR's bounds; PE-LTR balances the rest up to 1.")] = 0.8,
    objectives: Annotated[
        str | None,
        typer.Option(help="`click.auc,watch.rmse,like.ndcg@10`; by default the AUC, or RMSE, of every task."),
    ] = None,
    pick: Annotated[str | None, typer.Option(help="`least_misery` (the default), `knee` or `preference`.")] = None,
    prefer: Annotated[
        str | None, typer.Option(help="Weights of the objectives, such as `click=2,like=1` (default 1); picks by them.")
    ] = None,
    more: More = None,
    data: Paths = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Test data: reported, not used to pick; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trials to run in parallel, sharing the CPU's threads.")] = 1,
) -> None:
    """Train with many preferences over the tasks, compute the Pareto front, pick a model and export it.

    Run the same command again to resume. More points train only the new ones; another rule or other objectives reuse
    the trained models.
    """
    check_folder("--output", output)
    from training.config import load
    from training.sweeps import pareto as fronts

    base = load(config)
    choice = fronts.choice(base, objectives, pick, prefer)
    base = base.measuring(objective.name for objective in choice.objectives)
    trials = fronts.expand(base, points, total, method or ["pe_ltr"])
    with quiet_imports():
        from training.commands import pareto as command

    source = sources(data, more) or [Path(path) for path in base.data.paths]
    _, artifact = command.pareto(base, trials, choice, source, test or [], output, jobs, console)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]    serve it: ranker-serve {output}")
