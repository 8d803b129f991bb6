"""``ranker-train join``: exposures and events to a training log."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_file, check_folder
from training.quiet_imports import quiet_imports


def join(
    artifact: Annotated[
        Path,
        typer.Option("--artifact", "-a", help="An artifact, or a folder of versions: its config says the columns."),
    ],
    exposures: Annotated[Path, typer.Option("--exposures", help="Folder that the service logs to.")],
    events: Annotated[
        list[Path],
        typer.Option("--events", "-e", help="File or folder of events: Parquet, CSV, JSON lines; may be repeated."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the log; the state is in it, too.")],
    within: Annotated[str, typer.Option(help="How long after an exposure its events count: `30m`, `12h`, `2d`.")],
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="`watch_time=watch:sum`: column, kind of events, and any, count, sum, max or last; may be repeated. "
            "The config's other labels are of the events named like them."
        ),
    ] = None,
    now: Annotated[
        str | None, typer.Option(help="Hold exposures back whose window is not over then; by default now. ISO 8601.")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(help="Hold exposures back for so much longer, for events that arrive late: `10m`.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Join only exposures of this model of the service.")] = None,
    items: Annotated[
        Path | None, typer.Option(help="Parquet file or folder with items' features by id, if they are not logged.")
    ] = None,
    users: Annotated[
        Path | None, typer.Option(help="Parquet file or folder with users' features by id, if they are not logged.")
    ] = None,
    user_key: Annotated[
        str | None, typer.Option(help="Column of --users with the ids; by default evaluation.group_by, or user_id.")
    ] = None,
    unit_salt_file: Annotated[
        Path | None, typer.Option(help="File with the salt of the service's hashed units.")
    ] = None,
    rejected: Annotated[Path | None, typer.Option(help="Folder for files of late and of orphaned events.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all counts to this file.")] = None,
) -> None:
    """Join the exposures of a service with events into a training log, one row an exposure, by day.

    Run it again to add what is new: rows that are written stay as they are. See docs/exposures.md.
    """
    check_folder("--output", output)
    if rejected is not None:
        check_folder("--rejected", rejected)
    if json_file is not None:
        check_file("--json", json_file)
    from training.config.duration import duration
    from training.config.experiment import ConfigError

    lengths = {"--grace": timedelta()}
    for option, text in (("--within", within), ("--grace", grace)):
        try:
            lengths |= {} if text is None else {option: duration(text)}
        except ValueError as error:
            raise ConfigError(f"{option}: {error}") from None
    with quiet_imports():
        from ranker.files import replace_file
        from training.commands.join import join as command
        from training.commands.join import salt_of

    found = command(
        artifact, exposures, events, output=output, within=lengths["--within"], labels=label or (), now=_moment(now),
        grace=lengths["--grace"], model=model, items=items, users=users,
        user_key=user_key, unit_salt=None if unit_salt_file is None else salt_of(unit_salt_file), rejected=rejected,
        progress=console,
    )  # fmt: skip
    if json_file is not None:
        replace_file(json_file, (json.dumps(found.to_dict(), indent=2) + "\n").encode())


def _moment(text: str | None) -> datetime | None:
    from ranker.iso_times import microseconds
    from training.config.experiment import ConfigError

    if text is None:
        return None
    try:
        return datetime.fromtimestamp(microseconds(text) / 1e6, UTC)
    except ValueError as error:
        raise ConfigError(f"--now {text!r}: must be a time such as 2026-01-31T18:30:00Z: {error}") from None
