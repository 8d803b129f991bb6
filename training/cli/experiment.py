"""``ranker-train experiment``: what the groups of an experiment did to users, and whether that is more than chance."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ranker.files import replace_file
from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def experiment(
    exposures: Annotated[Path, typer.Option("--exposures", help="Folder of the exposure log.")],
    events: Annotated[
        list[str],
        typer.Option(help="Files, folders or globs with events (Parquet, CSV, JSON lines); may be repeated."),
    ],
    within: Annotated[
        str, typer.Option(help="How long after a request an event still belongs to it: 90s, 30m, 12h, 2d.")
    ] = "30m",
    name: Annotated[
        str | None, typer.Option("--experiment", help="Name of the experiment, if the log holds several.")
    ] = None,
    control: Annotated[str | None, typer.Option(help="The control group; by default `control`.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Group to judge; may be repeated. Default: all but the control.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="`NUMERATOR / DENOMINATOR` or `NAME = NUMERATOR / DENOMINATOR`, such as `like / click` or "
            "`watch.value / users`; may be repeated. Default: one for each kind of event."
        ),
    ] = None,
    lower: Annotated[list[str] | None, typer.Option(help="A metric where less is better; may be repeated.")] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(help="`METRIC >= BOUND` or `<=`, such as `watch.value / users >= -1%`; may be repeated."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="Judge requests from this time (ISO) on.")] = None,
    until: Annotated[str | None, typer.Option(help="Judge requests before this time (ISO).")] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="FROM..TO", help="Period before the experiment whose metrics take out noise (CUPED)."),
    ] = None,
    covariates: Annotated[
        list[str] | None, typer.Option(help="Files with a column `unit` and a covariate instead; may be repeated.")
    ] = None,
    covariate: Annotated[str | None, typer.Option(help="Column of the covariate in `--covariates`.")] = None,
    models: Annotated[
        Path | None, typer.Option(help="Models file of the service, against whose shares units are counted.")
    ] = None,
    shares: Annotated[
        str | None, typer.Option(metavar="GROUP=SHARE,...", help="The shares, instead of a models file.")
    ] = None,
    level: Annotated[float, typer.Option(help="Probability of a false alarm over all comparisons.")] = 0.05,
    correction: Annotated[
        str, typer.Option(help="holm, bonferroni, benjamini_hochberg or none: for several groups and metrics.")
    ] = "holm",
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Use intervals that hold however often one looks.")
    ] = False,
    effect: Annotated[
        str,
        typer.Option(help="Relative effect that matters, such as `1%`: for power, harm and --sequential."),
    ] = "1%",
    power: Annotated[float, typer.Option(help="Probability with which an effect is to be found.")] = 0.8,
    srm_level: Annotated[float, typer.Option(help="Level of the test for a sample ratio mismatch.")] = 0.001,
    unit_salt_file: Annotated[
        Path | None, typer.Option(help="File with the salt of the service's hashed units, for events by user.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the HTML page to this file.")] = None,
) -> None:
    """Judge an experiment: differences of each group to the control, guardrails, power.

    Exits with 0 for a win or no harm, 3 for harm, 4 if the numbers cannot be trusted, 5 if undecided. See
    docs/experiments.md.
    """
    for option, file in (("--json", json_file), ("--output", output)):
        if file is not None:
            check_file(option, file)
    with quiet_imports():
        from training.commands.experiment import ExperimentOptions, effect_of
        from training.commands.experiment import experiment as command
        from training.commands.join import salt_of
        from training.experiments.assignment import shares_of
        from training.reports.experiment import to_html

    asked = ExperimentOptions(
        within=within, experiment=name, control=control, groups=group or (), metrics=metric or (), lower=lower or (),
        guardrails=guardrail or (), since=since, until=until, before=before, covariates=covariates or (),
        covariate=covariate, models=models, shares=None if shares is None else shares_of(shares), level=level,
        correction=correction, sequential=sequential, effect=effect_of(effect), power=power, srm_level=srm_level,
        unit_salt=None if unit_salt_file is None else salt_of(unit_salt_file),
    )  # fmt: skip
    found = command(exposures, events, asked, progress=console)
    if json_file is not None:
        replace_file(json_file, (json.dumps(found.to_dict(), indent=2, allow_nan=False) + "\n").encode())
        console.print(f"numbers: {json_file}", markup=False)
    if output is not None:
        replace_file(output, to_html(found).encode())
        console.print(f"page: {output}", markup=False)
    if found.status:
        for line in found.verdict.why:
            typer.echo(f"{found.state}: {line}", err=True)
        raise typer.Exit(found.status)
