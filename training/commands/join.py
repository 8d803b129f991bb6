"""Joins the exposure log of a service with events into a training log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.table import Table

from ranker.artifact import Artifact
from ranker.log_files.log_reader import DataError
from training.commands.inputs import Progress, artifact_of, console_of
from training.config.experiment import ConfigError, Experiment
from training.display import Display
from training.exposures.event_run import Fate
from training.exposures.join import join as joined
from training.exposures.labels import Label, check_labels, label, labels_of
from training.exposures.log_columns import LogColumns
from training.exposures.lookup import Lookup
from training.exposures.options import Joined, JoinOptions
from training.exposures.time_forms import time_forms

_FATES = {
    Fate.COUNTED: "counted",
    Fate.REPEATED: "repeated",
    Fate.LATE: "late: after the window of their exposure, or after it was written",
    Fate.ORPHAN: "orphaned: of nothing that was shown",
    Fate.PENDING: "kept for the next run: their exposure is held back, or not here yet",
    Fate.OTHER: "of kinds that no label is made of",
    Fate.INCOMPLETE: "incomplete: without item, kind, time, or both request_id and user",
}


def join(
    artifact: str | Path | Artifact,
    exposures: str | Path,
    events: str | Path | Sequence[str | Path],
    *,
    output: str | Path,
    within: timedelta,
    labels: Sequence[str | Label] = (),
    now: datetime | None = None,
    grace: timedelta = timedelta(),
    model: str | None = None,
    items: str | Path | None = None,
    users: str | Path | None = None,
    user_key: str | None = None,
    unit_salt: str | None = None,
    rejected: str | Path | None = None,
    progress: Progress = True,
) -> Joined:
    """Write a training log of exposures whose window is over, with one row for each and its labels.

    Running it again adds only what is new. See docs/exposures.md.

    Parameters
    ----------
    artifact
        Its config says which columns the log has, and by default which labels.
    exposures
        The folder that the service logs to.
    events
        Files or folders of events: Parquet, CSV or JSON lines.
    output
        Folder of the log; the state between runs is in it, too.
    within
        How long after an exposure its events count.
    labels
        ``watch_time=watch:sum``, in place of, or besides, those that the config's tasks read: by default these are of
        the events that are named like them.
    now
        Exposures whose window is not over then are held back; by default now.
    grace
        How much longer exposures are held back, for events that arrive late.
    model
        Join only exposures of this model of the service.
    items, users
        Parquet files with features by id, for those that the service did not log. The ids of users are in ``user_key``,
        by default the config's ``evaluation.group_by``, or ``user_id``.
    unit_salt
        With which the service hashes users.
    rejected
        Folder for files of late and of orphaned events.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ArtifactError, ConfigError, DataError
        For what cannot be read, or is not there; the message says what.
    """
    loaded = artifact_of(artifact)
    if not loaded.manifest.experiment:
        raise ConfigError(f"{loaded.folder}: has no config, which says what columns a log needs; fit it again")
    experiment = Experiment.model_validate(loaded.manifest.experiment)
    schema = experiment.log_schema
    try:
        given = [each if isinstance(each, Label) else label(each) for each in labels]
        check_labels(given)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    own = labels_of(schema)
    chosen = list({each.column: each for each in (*own, *given)}.values())
    item_columns = [schema.column(name) for name in schema.candidate]
    user_columns = [schema.column(name) for name in schema.context]
    id_column = schema.column(schema.candidate_id) if schema.candidate_id is not None else None
    if items is not None and id_column is None:
        raise ConfigError("--items: the config has no schema.candidate_id, by which items could be found")
    group = experiment.evaluation.group_by
    key = user_key or (group if group in user_columns else "user_id")
    columns = LogColumns(
        experiment,
        [each.column for each in chosen],
        time_forms(loaded, experiment),
        None if items is None else Lookup.read("--items", Path(items), id_column or "", item_columns),
        None if users is None else Lookup.read("--users", Path(users), key, user_columns, unit_salt),
    )
    for each in given:
        if each.column in columns.taken and each.column not in {label.column for label in own}:
            raise ConfigError(
                f"--label {each}: the log has a column {each.column!r} of its own; name the label otherwise"
            )
    options = JoinOptions(
        within=within,
        labels=chosen,
        now=now,
        grace=grace,
        model=model,
        salt=unit_salt,
        rejected=None if rejected is None else Path(rejected),
    )
    sources = [events] if isinstance(events, str | Path) else list(events)
    console = console_of(progress)
    with Display(console) as display:
        found = joined(Path(exposures), sources, columns, Path(output), options, display.rows)
    console.print(_table(found, chosen, Path(output)))
    if found.waiting is not None:
        console.print(
            f"exposures since {found.waiting:%Y-%m-%dT%H:%M:%SZ} are held back: a service still writes a file that was "
            "begun then",
            markup=False,
        )
    if found.lost:
        console.print(
            f"caution: {len(found.lost)} file(s) of exposures are gone before all of their rows were written, such as "
            f"{found.lost[0]}; have the service keep them for longer (exposures_keep_days, exposures_keep_bytes)",
            markup=False,
        )
    if found.empty:
        console.print(
            f"caution: {', '.join(found.empty)} have no value in any row; candidates that are sent as ids alone have "
            "theirs from --items, and users that are sent as ids from --users",
            markup=False,
        )
    return found


def salt_of(file: Path) -> str:
    """The salt in a file, without space around it. Raises ``DataError`` if it cannot be read or is empty."""
    try:
        salt = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise DataError(f"--unit-salt-file {file}: cannot be read: {error}") from None
    if not salt:
        raise DataError(f"--unit-salt-file {file}: is empty")
    return salt


def _table(found: Joined, labels: Sequence[Label], output: Path) -> Table:
    table = Table("", "rows", title=f"joined into {output}")
    table.columns[1].justify = "right"
    table.add_row("exposures written", f"{found.rows:,}")
    for day, rows in found.days.items():
        table.add_row(f"  {day}", f"{rows:,}")
    table.add_row("exposures held back: their window is open", f"{found.held_back:,}")
    for each in labels:
        table.add_row(f"rows with {each}", f"{found.positive.get(each.column, 0):,}")
    for fate, text in _FATES.items():
        if found.events.get(fate) or fate == Fate.COUNTED:
            table.add_row(f"events {text}", f"{found.events.get(fate, 0):,}")
    if found.early:
        table.add_row("events before their exposure, by their clocks", f"{found.early:,}")
    for name, count in found.unknown.items():
        if count:
            table.add_row(f"rows without features: not among the {name}", f"{count:,}")
    return table
