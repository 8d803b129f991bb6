"""Reads the requests of an exposure log, with labels from a joined log or from the exposures themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.arrow_columns import to_column
from ranker.artifact import Artifact
from ranker.encoding import ColumnError
from ranker.encoding.columns import numbers
from ranker.exposures.columns import ITEM
from ranker.exposures.reading import request_starts
from ranker.log_files.csv_types import of_kind
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import Log, Source
from ranker.schema import Schema
from training.off_policy.log_table import table_of
from training.off_policy.logged import Floats, Indices
from training.off_policy.reward import Reward

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Exposures:
    """R requests that explored, as they were logged: N rows by request, then by place.

    Attributes
    ----------
    table
        The rows, with the log's columns.
    starts
        The first row of each request, and N at the end [R + 1].
    labels
        Columns [N] that the reward reads; NaN beyond the answer.
    left_out
        Number of requests that were left out, by reason.
    """

    table: Any
    starts: Indices
    labels: Mapping[str, Floats]
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def taken(self, requests: Mask, reason: str) -> "Exposures":
        """Some of the requests [R]; the others are left out for the reason."""
        sizes = np.diff(self.starts)
        rows = np.repeat(requests, sizes)
        return Exposures(
            self.table.filter(pa.array(rows)),
            np.insert(np.cumsum(sizes[requests]), 0, 0),
            {name: values[rows] for name, values in self.labels.items()},
            {**self.left_out, reason: int((~requests).sum())},
        )

    def by_request(self, name: str) -> Any:
        """A column of requests, as an Arrow array [R]."""
        return self.table.column(name).take(pa.array(self.starts[:-1]))

    def numbers(self, name: str) -> Floats:
        """A column of rows [N], NaN for null."""
        return np.asarray(self.table.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)


def read_exposures(
    directory: Path, artifact: Artifact, reward: Reward, *, model: str | None = None, labels: Source | None = None
) -> Exposures:
    """Read what an artifact's version ranked, requests whose order was drawn and whose labels are known.

    Parameters
    ----------
    directory
        Folder of the exposure log.
    artifact
        The version whose requests are read.
    reward
        Names the labels.
    model
        Name of the model in the service; needed if the log has several.
    labels
        Files with ``request_id``, the item, and the labels, as `ranker-train join` writes them; by default the
        exposures have them.

    Raises
    ------
    DataError
        If the log has no such request, or cannot be used.
    """
    names = reward.columns
    number = artifact.manifest.version
    table, others = table_of(directory, artifact.schema, number, [] if labels is not None else names, model)
    starts = request_starts(table)
    bounds = np.append(starts, table.num_rows)
    first = table.take(pa.array(starts))
    left_out = {f"ranked by another version than {number}": len(others)} if len(others) else {}
    kept = np.ones(len(starts), dtype=bool)

    def leave_out(reason: str, requests: Mask) -> None:
        nonlocal kept
        if count := int((kept & requests).sum()):
            left_out[reason] = count
        kept = kept & ~requests

    leave_out("their order was not drawn at random", _null(first.column("base_place")))
    ids = first.column("request_id").to_pandas()
    twice = ids.duplicated(keep=False).to_numpy() | ids.isin(others.to_pandas()).to_numpy()
    leave_out("another request has the same id", twice)
    leave_out("the answer had no items", first.column("returned").to_numpy() < 1)
    codes = np.repeat(np.arange(len(starts)), np.diff(bounds))
    shown = table.column("place").to_numpy() <= table.column("returned").to_numpy()
    used = kept[codes]
    if labels is None:
        found = {name: _numbers(table.column(name), name, str(directory)) for name in names}
    elif kept.any():
        known, has = _joined(table.filter(pa.array(used)), artifact.schema, labels, names)
        found = {name: _filled(column, used) for name, column in known.items()}
        complete = np.ones(len(starts), dtype=bool)
        np.logical_and.at(complete, codes[shown & used], has[shown[used]])
        leave_out("the joined log does not have all of their items", ~complete)
    if not kept.any():
        count = len(starts) + len(others)
        reasons = "; ".join(f"{count:,}: {reason}" for reason, count in left_out.items())
        raise DataError(f"{directory}: none of {count:,} requests can be used ({reasons or 'it is empty'})")
    rows = kept[codes]
    sizes = np.diff(bounds)[kept]
    values = {name: np.where(shown, column, np.nan)[rows] for name, column in found.items()}
    return Exposures(table.filter(pa.array(rows)), np.insert(np.cumsum(sizes), 0, 0), values, left_out)


def _joined(table: Any, schema: Schema, labels: Source, names: Sequence[str]) -> tuple[dict[str, Floats], Mask]:
    """Labels of the rows [N] from a joined log, and which rows it has [N]; it may have other requests, too."""
    wanted = pc.unique(table.column("request_id").cast(pa.string()))
    item = ITEM if schema.candidate_id is None else schema.column(schema.candidate_id)
    log = Log(labels, {**of_kind("text", ["request_id", item]), **of_kind("number", names)})
    parts = []
    for chunk in log.arrow_chunks(["request_id", item, *names]):
        keys = {"request_id": chunk.arrays["request_id"].cast(pa.string()), ITEM: chunk.arrays[item].cast(pa.string())}
        part = {
            **{name: column.to_pandas() for name, column in keys.items()},
            **{f"label {name}": _numbers(chunk.arrays[name], name, chunk.source) for name in names},
            "has": True,
        }
        parts.append(pd.DataFrame(part)[pc.is_in(keys["request_id"], wanted).to_numpy(zero_copy_only=False)])
    if not parts:
        raise DataError("--labels: the joined log has no rows")
    joined = pd.concat(parts, ignore_index=True).dropna(subset=["request_id", ITEM])
    twice = joined.duplicated(["request_id", ITEM])
    if twice.any():
        row = joined[twice].iloc[0]
        raise DataError(f"--labels: request {row['request_id']!r} has item {row[ITEM]!r} twice; join it only once")
    rows = pd.DataFrame({name: table.column(name).cast(pa.string()).to_pandas() for name in ("request_id", ITEM)})
    merged = rows.merge(joined, how="left", on=["request_id", ITEM])
    found = {name: merged[f"label {name}"].to_numpy(dtype=np.float64) for name in names}
    return found, merged["has"].notna().to_numpy()


def _numbers(array: Any, name: str, source: str) -> Floats:
    try:
        column = to_column(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array, name)
        return np.asarray(numbers(column, name), dtype=np.float64)
    except ColumnError as error:
        raise DataError(f"{source}: column {name!r} must be {error.expected}, got {error.value!r:.80}") from None


def _filled(values: Floats, rows: Mask) -> Floats:
    """Values of some rows among all [N]; NaN in the others."""
    found = np.full(len(rows), np.nan)
    found[rows] = values
    return found


def _null(column: Any) -> Mask:
    return np.asarray(column.is_null().to_numpy(), dtype=bool)
