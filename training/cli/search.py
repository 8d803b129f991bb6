"""``ranker-train search``: tunes a fusion's parameters."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def search(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report and the search state.")],
    more: More = None,
    data: Paths = None,
    maximise: Annotated[
        str | None,
        typer.Option(help="`click.auc + 2*like.gauc + watch_time.ndcg@10`; by default the sum of all AUCs."),
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="`like.auc >= today`, `>= today - 0.001`, `>= 0.7`; may be repeated.")
    ] = None,
    relevance: Annotated[
        list[str] | None,
        typer.Option(help="A formula that metrics may name, such as `rel = 5*booked + click`; may be repeated."),
    ] = None,
    fusion: Annotated[str, typer.Option(help="The artifact's fusion to start from.")] = "default",
    formula: Annotated[str | None, typer.Option(help="Search another formula, starting from its defaults.")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="`power`, `power.like`, `power.like=0:3`, `rerank.STEP.lambda`; may be repeated. Default: all of the "
            "formula."
        ),
    ] = None,
    trust: Annotated[float, typer.Option(help="Search radius relative to the current values; 1 means 0 to 2x.")] = 1.0,
    method: Annotated[
        str, typer.Option(help="cross_entropy, cma_es, gaussian_process, tpe, nsga2, random, ...")
    ] = "cross_entropy",
    budget: Annotated[int, typer.Option(min=2, help="Parameter sets to try.")] = 500,
    held_out: Annotated[float, typer.Option(help="Fraction of groups held out for the final comparison.")] = 0.5,
    group_by: Annotated[str | None, typer.Option(help="Column that groups rows; by default the config's.")] = None,
    binned: Annotated[bool, typer.Option(help="Compute AUCs from histograms: faster, error about 1e-6.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search, the held-out groups and the bootstrap.")] = 0,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples behind each interval; 0 for none.")] = 200,
    jobs: Annotated[int | None, typer.Option(min=1, help="Threads; by default one per core.")] = None,
    exposures: Annotated[
        Path | None,
        typer.Option(help="Folder of an exposure log, for `--maximise 'off_policy(click + 8*like)'`, instead of data."),
    ] = None,
    labels: Annotated[
        list[Path] | None, typer.Option("--labels", help="With --exposures: log that `join` has written.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --exposures: name of the model in the service, if the log has several.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="With --exposures: the estimator, as in `evaluate-policy`.")
    ] = None,
    least_effective: Annotated[
        float, typer.Option(help="With --exposures: least effective sample size, on each half of the users.")
    ] = 100.0,
    within_logged: Annotated[
        bool, typer.Option("--within-logged", help="With --exposures: rank the logged candidates alone.")
    ] = False,
    pessimistic: Annotated[
        bool, typer.Option("--pessimistic", help="With --exposures: maximise the lower end of the interval.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the artifact with the best parameters as the next version in this folder. If the held-out rows "
            "show no gain beyond noise, or break a `--require`, nothing is written and the exit status is 3."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --export: export even without a confirmed gain.")
    ] = False,
) -> None:
    """Tune the parameters of an artifact's fusion on the validation rows of a log.

    Run the same command again to resume an interrupted search.
    """
    check_folder("--output", output)
    if export is not None:
        check_folder("--export", export)
    with quiet_imports():
        from training.commands.search import SearchOptions, export_found
        from training.commands.search import search as command
        from training.commands.search_policies import search_policies
        from training.off_policy.options import EvaluationOptions

    asked = SearchOptions(
        maximise=maximise, require=require or [], relevance=relevance or [], fusion=fusion, formula=formula,
        vary=vary or [], trust=trust, method=method, budget=budget, held_out=held_out, group_by=group_by, binned=binned,
        seed=seed, bootstrap=bootstrap, jobs=jobs or os.cpu_count() or 1,
    )  # fmt: skip
    if exposures is None:
        found = command(artifact, sources(data, more), asked, output=output, progress=console)
    else:
        found = search_policies(
            artifact, exposures, asked, output=output, labels=labels, model=model, pessimistic=pessimistic,
            evaluation=EvaluationOptions(by, least_effective=least_effective, within_logged=within_logged),
            progress=console,
        )  # fmt: skip
    if export is not None:
        if found.doubts and not force:
            typer.echo(f"nothing is exported to {export}: {found.doubts[0]}; --force exports it anyway", err=True)
            raise typer.Exit(REFUSED)
        written = export_found(artifact, asked, found, export)
        console.print(f"artifact: [bold]{written.folder}[/bold]    serve it: ranker-serve {export}")
