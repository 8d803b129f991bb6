"""``ranker-train nightly``: trains on the days that the version in service has not seen, judges, and publishes."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal

import orjson
from pydantic import Field, ValidationError
from rich.console import Console

from ranker.artifact import Artifact, ArtifactError, load
from ranker.artifact_store import local_copy
from ranker.config.closed import Closed
from ranker.file_locks import locked
from ranker.files import replace_file
from ranker.log_files.log_reader import DataError
from ranker.remote_files import RemoteFolder
from ranker.urls import is_remote, normal
from training.commands.fit import fit
from training.commands.inputs import Config, Progress, console_of, experiment_of
from training.commands.promote import PromotionOptions, promote
from training.commands.publish import publish
from training.config.experiment import ConfigError, Experiment
from training.data.earlier import manifest_digest, opened
from training.data.experiment_log import open_log
from training.trainer.train import RUN

RECORD, LOCK = "nightly.json", "nightly.lock"
DAY = re.compile(r"(?:[A-Za-z_]\w*=)?(\d{4}-\d{2}-\d{2})")
"""Name of the folder of a day's rows, such as ``date=2026-01-31``."""
EPOCH = date(1970, 1, 1)
Outcome = Literal["nothing_to_do", "published", "refused"]


class Night(Closed):
    """What the last run was about, as ``nightly.json`` in its folder has it."""

    live: str | None = Field(None, description="SHA-256 of the manifest of the version in service.")
    config: str | None = Field(None, description="SHA-256 of the config.")
    days: tuple[str, ...] = Field((), description="Names of the days' folders that were trained on.")
    log: str | None = Field(None, description="SHA-256 of the names, sizes and times of their files.")
    candidate: str | None = Field(None, description="SHA-256 of the manifest of the version that was judged.")
    promoted: bool | None = Field(None, description="Whether it may be published.")
    why: tuple[str, ...] = Field((), description="Reasons against it.")


@dataclass(frozen=True)
class Nightly:
    """How a run ended.

    Attributes
    ----------
    outcome
        ``published``, ``refused``, or ``nothing_to_do`` if the version in service has seen all days.
    days
        Names of the days' folders that the version was trained on.
    url
        Where it was published.
    why
        Reasons against a refused version.
    """

    outcome: Outcome
    days: tuple[str, ...] = ()
    url: str | None = None
    why: tuple[str, ...] = ()


def nightly(
    config: Config,
    log: str | Path,
    models: str,
    *,
    output: str | Path,
    until: date | None = None,
    progress: Progress = True,
) -> Nightly:
    """Carry the version in service on with the days since, and publish the result if it is promoted.

    The version in service is the highest one in ``models``. A version that is refused is not published, and its days
    are trained on again together with the next. Called again, it goes on where it was interrupted, and does nothing
    that is done. A second one with the same ``output`` waits for the first.

    Parameters
    ----------
    config
        The path of a YAML file, its content as a dict, or an ``Experiment``; with days (``daily.day``, or a split by
        time). Its section ``promotion`` has the bounds; rows that its split holds out are judged by.
    log
        Folder or URL with a folder of each day, such as ``date=2026-01-31``.
    models
        URL of the folder of published versions.
    output
        Folder of the run and its versions, which later runs go on with.
    until
        Last day to train on; by default yesterday, in UTC.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If the config is invalid, has no days, or leaves no rows to judge by.
    RemoteError
        If the store cannot be read or written, or has no version.
    ArtifactError
        If the version in service cannot be carried on.
    DataError
        If the log cannot be used.
    """
    experiment, console, output = experiment_of(config), console_of(progress), Path(output)
    _check(experiment, models)
    last, folders = until or datetime.now(UTC).date() - timedelta(days=1), _folders(log)
    with locked(output / LOCK, required=False):
        night = _night(experiment, folders, models, output, last, console)
    if night.outcome == "nothing_to_do":
        console.print(f"nothing to do: no later day, up to {last}, is in {log}", markup=False)
    return night


def _night(
    experiment: Experiment,
    folders: Mapping[date, tuple[str, str]],
    models: str,
    output: Path,
    last: date,
    console: Console,
) -> Nightly:
    live = load(local_copy(models))
    seen = _last_day(live)
    days = {name: path for day, (name, path) in sorted(folders.items()) if seen < day <= last}
    files = _files(experiment, [*days.values()])
    asked = Night(live=manifest_digest(live), config=_digest(experiment), days=tuple(days), log=files)
    before = _recorded(output / RECORD)
    console.print(f"in service: version {live.manifest.version}, trained on days up to {seen}", markup=False)
    if not days or (before.candidate == asked.live and before.days[-1:] == asked.days[-1:]):
        return Nightly("nothing_to_do")
    same = all(getattr(before, fact) == getattr(asked, fact) for fact in ("live", "config", "days", "log"))
    night = before if same else asked
    if not same:
        shutil.rmtree(output / RUN, ignore_errors=True)  # of another night: it would be in the way
        _record(output, night)
    console.print(f"training on {', '.join(days)}", markup=False)
    candidate = fit(experiment, [*days.values()], output=output, from_artifact=live, progress=console).export()
    if night.candidate != manifest_digest(candidate):
        judged = promote(candidate, live, [*days.values()], PromotionOptions(validation=True), progress=console)
        verdict = {"candidate": manifest_digest(candidate), "promoted": judged.promoted, "why": tuple(judged.why)}
        night = night.model_copy(update=verdict)
        _record(output, night)
    if not night.promoted:
        return Nightly("refused", night.days, why=night.why)
    url = publish(candidate, models)
    console.print(f"published: {url}", markup=False)
    return Nightly("published", night.days, url)


def _check(experiment: Experiment, models: str) -> None:
    """Raise ``ConfigError`` for what would be known only after a night's training."""
    if not is_remote(models):
        raise ConfigError(f"--models {models}: is not the URL of a store, such as s3://bucket/models")
    if experiment.day_column is None:
        raise ConfigError("daily.day: is not set, and without days nobody knows which rows are new; name a column")
    if experiment.training.refit:
        raise ConfigError("training.refit: trains on the rows that a new version is judged by; leave it out")


def _last_day(live: Artifact) -> date:
    """Last day of the rows that a version and its ancestors were trained on. Raises ``ArtifactError``."""
    facts = opened(live).facts
    if facts.day_unit in ("days", "fits"):
        raise ArtifactError(
            f"{live.folder}: counted days by {facts.day_unit}, not by dates; train the first version with daily.day "
            "set to a column of dates or times"
        )
    return EPOCH + timedelta(days=facts.day)


def _folders(log: str | Path) -> dict[date, tuple[str, str]]:
    """Name and path of the folder of each day. Raises ``DataError`` and ``RemoteError``."""
    if is_remote(log):
        base, mark, options = normal(log).partition("?")
        names = RemoteFolder.at(base + mark + options).folders()
        paths = {name: f"{base.rstrip('/')}/{name}{mark}{options}" for name in names}
    else:
        if not Path(log).is_dir():
            raise DataError(f"--log {log}: no such folder")
        paths = {path.name: str(path) for path in sorted(Path(log).iterdir()) if path.is_dir()}
    found: dict[date, tuple[str, str]] = {}
    for name, path in paths.items():
        if (match := DAY.fullmatch(name)) is None:
            continue
        try:
            day = date.fromisoformat(match[1])
        except ValueError:
            raise DataError(f"{path}: {match[1]} is not a date") from None
        if day in found:
            raise DataError(f"{path}: is another folder of the day of {found[day][0]}")
        found[day] = name, path
    if not found:
        raise DataError(f"--log {log}: has no folder of a day, such as date=2026-01-31")
    return found


def _files(experiment: Experiment, days: list[str]) -> str | None:
    """SHA-256 of the names, sizes and times of the files of days, to which late rows may be added."""
    return sha256(orjson.dumps(open_log(experiment, days).fingerprint())).hexdigest() if days else None


def _digest(experiment: Experiment) -> str:
    """SHA-256 of a config."""
    content = experiment.model_dump(mode="json", by_alias=True)
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _recorded(file: Path) -> Night:
    try:
        return Night.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return Night()


def _record(output: Path, night: Night) -> None:
    replace_file(output / RECORD, orjson.dumps(night.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
