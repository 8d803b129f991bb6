"""``ranker-train evaluate-policy``: what other policies would have earned on logged requests."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from ranker.files import replace_file
from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def evaluate_policy(
    artifact: Annotated[Path, typer.Argument(help="The version that ranked the requests, or a folder of versions.")],
    exposures: Annotated[Path, typer.Option("--exposures", help="Folder of the exposure log.")],
    reward: Annotated[
        str, typer.Option("--reward", help="What a shown item earns: a formula of labels, such as `click + 8*like`.")
    ],
    policy: Annotated[
        list[str],
        typer.Option(
            "--policy",
            help="A fusion's name, or `{fusion: NAME, parameters: {...}, explore: ..., artifact: DIR}`; may be "
            "repeated.",
        ),
    ],
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels", help="Log that `join` has written; may be repeated. Default: columns of the exposures."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model in the service, if the log has several.")] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", help="Estimator that is judged: place_dr, cascade_snips, list_ips, ...; by default by places."
        ),
    ] = None,
    places: Annotated[int, typer.Option(help="Number of first places whose rewards count.")] = 100,
    clip: Annotated[float | None, typer.Option(help="Largest weight of a request; by default there is none.")] = None,
    draws: Annotated[
        int, typer.Option(help="Lists drawn for each request where chances at places cannot be counted.")
    ] = 32,
    level: Annotated[float, typer.Option(help="Probability of intervals to hold the true value.")] = 0.95,
    least_effective: Annotated[
        float, typer.Option(help="Least effective sample size; below it, there is no answer.")
    ] = 100.0,
    most_outside: Annotated[
        float, typer.Option(help="Largest share of a policy that the logging policy never does.")
    ] = 0.05,
    within_logged: Annotated[
        bool, typer.Option("--within-logged", help="Evaluate policies that rank the logged candidates alone.")
    ] = False,
    least: Annotated[
        float | None, typer.Option(help="Exit with 3 unless the interval of every policy's gain is above this.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the HTML page to this file.")] = None,
) -> None:
    """Estimate what other fusions, parameters or models would have earned; exit with 3 if the log cannot tell.

    The requests must have been answered by a fusion that explores. See docs/exploration.md.
    """
    for option, file in (("--json", json_file), ("--output", output)):
        if file is not None:
            check_file(option, file)
    with quiet_imports():
        from training.commands.evaluate_policy import evaluate_policy as command
        from training.off_policy.options import EvaluationOptions
        from training.reports.off_policy import to_html

    asked = EvaluationOptions(
        estimator=by, places=places, draws=draws, clip=clip, level=level, least_effective=least_effective,
        most_outside=most_outside, within_logged=within_logged, least=least, seed=seed,
    )  # fmt: skip
    found = command(artifact, exposures, policy, reward, labels=labels, model=model, options=asked, progress=console)
    if json_file is not None:
        replace_file(json_file, (json.dumps(found.to_dict(), indent=2) + "\n").encode())
        console.print(f"numbers: {json_file}", markup=False)
    if output is not None:
        replace_file(output, to_html(found).encode())
        console.print(f"page: {output}", markup=False)
    if found.failed:
        for line in found.failed:
            typer.echo(f"no answer: {line}", err=True)
        raise typer.Exit(REFUSED)
