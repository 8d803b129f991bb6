"""Requests of an exposure log: the group, unit and time of each, without the candidates."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.exposures import ExposureError, exposure_files, facts, open_files, read_file
from ranker.iso_times import DAY_MS, microseconds
from training.experiments.latest import NONE, Ints
from training.exposures.keys import Keys, hashes

COLUMNS = ("request_id", "time", "experiment", "group", "outside", "unit", "returned", "place")
"""Milliseconds."""


class Period(NamedTuple):
    """Times from ``since``, and before ``until``, in milliseconds since 1970; ``None``: from the first, to the last."""

    since: int | None = None
    until: int | None = None

    def holds(self, times: Ints) -> NDArray[np.bool_]:
        """Which times [N] are in it."""
        found = np.ones(len(times), dtype=bool)
        if self.since is not None:
            found &= times >= self.since
        if self.until is not None:
            found &= times < self.until
        return found

    def may_hold(self, day: int) -> bool:
        """Whether a time of the UTC day, in days since 1970, may be in it."""
        return (self.since is None or (day + 1) * DAY_MS > self.since) and (
            self.until is None or day * DAY_MS < self.until
        )


@dataclass(frozen=True, eq=False)
class Requests:
    """Requests of an exposure log [R], as codes, by time within each file.

    Attributes
    ----------
    ids, units
        Keys of the request's id and unit.
    has_id, has_unit
        Whether it has one.
    times
        When it was answered, in milliseconds since 1970.
    experiments, groups, outsides
        Codes of the experiment, the group, and why it is in none; ``NONE`` (-1) without.
    returned
        Number of items in the answer.
    names
        Texts of the codes, by column.
    hashed
        Whether units are hashed.
    unfinished
        Number of files that are still written.
    """

    ids: Keys
    units: Keys
    has_id: NDArray[np.bool_]
    has_unit: NDArray[np.bool_]
    times: Ints
    experiments: NDArray[np.int32]
    groups: NDArray[np.int32]
    outsides: NDArray[np.int32]
    returned: Ints
    names: dict[str, list[str]]
    hashed: bool
    unfinished: int

    def __len__(self) -> int:
        return len(self.ids)


def read_requests(folder: Path, periods: Sequence[Period]) -> Requests:
    """Read the requests of a log that were answered in one of the periods.

    Only the rows of first places are kept, about 50 bytes for each request. A request whose answer was empty has no row
    in the log, and is not counted. Raises ``ValueError`` naming the file, for a folder that is no log, or a log without
    requests in these periods.
    """
    if not folder.is_dir():
        raise ExposureError(f"{folder}: no such folder; name the folder of an exposure log")
    files = exposure_files(folder)
    if not files:
        raise ExposureError(f"{folder}: holds no finished file of an exposure log{_being_written(folder)}")
    days = [(file.path, (file.day - datetime(1970, 1, 1, tzinfo=UTC).date()).days) for file in files]
    paths = [path for path, day in days if any(period.may_hold(day) for period in periods)]
    codes: dict[str, dict[str, int]] = {name: {} for name in ("experiment", "group", "outside")}
    parts = [part for path in paths for part in _parts(path, periods, codes)]
    if not parts or not sum(len(part["time"]) for part in parts):
        first, last = days[0][1], days[-1][1]
        raise ExposureError(
            f"{folder}: no request was answered in the time that is asked for; the log has days from "
            f"{np.datetime64(first, 'D')} to {np.datetime64(last, 'D')}"
        )
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Requests(
        ids=whole["request_id"],
        units=whole["unit"],
        has_id=whole["has request_id"],
        has_unit=whole["has unit"],
        times=whole["time"],
        experiments=whole["experiment"],
        groups=whole["group"],
        outsides=whole["outside"],
        returned=whole["returned"],
        names={name: list(texts) for name, texts in codes.items()},
        hashed=any(facts(path)["hashed"] for path in paths),
        unfinished=len(open_files(folder)),
    )


def _being_written(folder: Path) -> str:
    count = len(open_files(folder))
    return f"; {count} are being written" if count else ""


def _parts(path: Path, periods: Sequence[Period], codes: dict[str, dict[str, int]]) -> Iterator[dict[str, Any]]:
    for table in read_file(path, COLUMNS):
        for name in COLUMNS:
            if name not in table.column_names:
                raise ExposureError(f"{path}: has no column {name!r}")
        table = table.filter(pa.array(table.column("place").to_numpy() == 1))
        times = _integers(table.column("time").cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()), path, "time")
        inside = np.logical_or.reduce([period.holds(times) for period in periods])
        table = table.filter(pa.array(inside))
        found: dict[str, Any] = {
            "time": times[inside],
            "returned": _integers(table.column("returned"), path, "returned"),
        }
        for name in ("request_id", "unit"):
            found[name], found[f"has {name}"] = hashes(table.column(name)), ~table.column(name).is_null().to_numpy()
        for name, known in codes.items():
            found[name] = _coded(table.column(name), known)
        yield found


def _integers(column: Any, path: Path, name: str) -> Ints:
    if column.null_count:
        raise ExposureError(f"{path}: column {name!r} lacks {column.null_count} values")
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _coded(column: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Codes [N] of texts, which are added to ``known``; ``NONE`` for null."""
    texts = column.cast(pa.string()).combine_chunks().dictionary_encode()
    values = [known.setdefault(text, len(known)) for text in texts.dictionary.to_pylist()]
    indices = texts.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return np.asarray(np.array([*values, NONE], dtype=np.int32)[indices])


def period_of(option: str, since: str | None, until: str | None) -> Period:
    """Times in ISO form as a period. Raises ``ValueError`` naming the option."""
    ends = [None if text is None else _time(option, text) for text in (since, until)]
    if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
        raise ValueError(f"{option}: {since} is not before {until}")
    return Period(*ends)


def _time(option: str, text: str) -> int:
    try:
        return microseconds(text.strip()) // 1000
    except ValueError as error:
        raise ValueError(
            f"{option}: {text!r:.60} is no time such as 2026-01-31 or 2026-01-31T18:00Z: {error}"
        ) from None


def named(names: Iterable[str]) -> str:
    """Names in a message, at most 20."""
    listed = list(names)
    return ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "") or "none"
