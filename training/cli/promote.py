"""``ranker-train promote``: whether a new version may take the place of the one in service."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from ranker.data_options import More, Paths, sources
from ranker.files import replace_file
from training.cli.terminal import console
from training.commands.outputs import check_file
from training.quiet_imports import quiet_imports


def promote(
    artifact: Annotated[Path, typer.Argument(help="The new version, or a folder of versions (uses the latest).")],
    against: Annotated[Path, typer.Option("--against", help="The version in service, or a folder of versions.")],
    more: More = None,
    data: Paths = None,
    bounds: Annotated[
        Path | None,
        typer.Option(help="YAML file with the section `promotion`; by default that of the new version's config."),
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Column to slice the rows by; may be repeated.")] = None,
    slice_rows: Annotated[int, typer.Option(help="Fewest rows of a slice; rarer values are one slice.")] = 1000,
    group_by: Annotated[
        str | None, typer.Option(help="Column whose groups are resampled and ranked; by default the config's.")
    ] = None,
    level: Annotated[
        float, typer.Option(help="Largest probability of refusing a version that meets all bounds.")
    ] = 0.05,
    bootstrap: Annotated[int, typer.Option(help="Resamples behind each interval.")] = 400,
    validation: Annotated[
        bool, typer.Option("--validation", help="Use only rows that the new version's own split holds out.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="Engine whose calls are timed: the one that serves; auto is the service's default.")
    ] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the HTML page to this file.")] = None,
    activate: Annotated[
        str | None, typer.Option(metavar="URL", help="If promoted, have the service at this address serve the version.")
    ] = None,
    admin_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Environment variable with an admin key of the service.")
    ] = None,
    activate_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the model in the service; by default its default model.")
    ] = None,
) -> None:
    """Compare a new version with the one in service on the same rows; exit with 0 if it may replace it, else with 3.

    The bounds say how far it may fall behind. See docs/promotion.md.
    """
    for option, file in (("--json", json_file), ("--output", output)):
        if file is not None:
            check_file(option, file)
    from training.config.promotion import load_bounds

    limits = None if bounds is None else load_bounds(bounds)
    with quiet_imports():
        from training.commands.promote import PromotionOptions
        from training.commands.promote import promote as command
        from training.promotion.activation import Service

    service = None if activate is None else Service.of(activate, admin_key_env, activate_model)
    asked = PromotionOptions(
        bounds=limits, by=by or (), slice_rows=slice_rows, group_by=group_by, level=level, bootstrap=bootstrap,
        validation=validation, engine=engine,
    )  # fmt: skip
    found = command(artifact, against, sources(data, more) or None, asked, progress=console)
    if json_file is not None:
        replace_file(json_file, (json.dumps(found.to_dict(), indent=2) + "\n").encode())
        console.print(f"numbers: {json_file}", markup=False)
    if output is not None:
        replace_file(output, found.to_html().encode())
        console.print(f"page: {output}", markup=False)
    if not found.promoted:
        for line in found.why:
            typer.echo(f"not promoted: {line}", err=True)
        raise typer.Exit(REFUSED)
    if service is not None:
        workers = service.activate(found.new)
        count = "1 worker" if workers == 1 else f"{workers} workers"
        console.print(f"activated: version {found.new.manifest.version} in {count} of {service.url}", markup=False)
