"""Reads the requests of an exposure log, with labels from a joined log or from the exposures themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ranker.arrow_columns import to_column
from ranker.artifact import Artifact
from ranker.encoding import ColumnError
from ranker.encoding.columns import numbers
from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, REQUEST, ROW, SCORE
from ranker.exposures.reading import read_log, request_starts
from ranker.log_files.csv_types import of_kind
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import Log, Source
from ranker.registry import alternatives
from ranker.schema import Schema
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
    table = _table(directory, artifact.schema, [] if labels is not None else names, model)
    starts = request_starts(table)
    bounds = np.append(starts, table.num_rows)
    first = table.take(pa.array(starts))
    left_out: dict[str, int] = {}
    kept = np.ones(len(starts), dtype=bool)

    def leave_out(reason: str, requests: Mask) -> None:
        nonlocal kept
        if count := int((kept & requests).sum()):
            left_out[reason] = count
        kept = kept & ~requests

    number = artifact.manifest.version
    leave_out(f"ranked by another version than {number}", first.column("version").to_numpy() != number)
    leave_out("their order was not drawn at random", _null(first.column("base_place")))
    ids = first.column("request_id").to_pandas()
    leave_out("another request has the same id", ids.duplicated(keep=False).to_numpy())
    leave_out("the answer had no items", first.column("returned").to_numpy() < 1)
    codes = np.repeat(np.arange(len(starts)), np.diff(bounds))
    shown = table.column("place").to_numpy() <= table.column("returned").to_numpy()
    if labels is None:
        found = {name: _numbers(table.column(name), name, str(directory)) for name in names}
    else:
        found, has = _joined(table, artifact.schema, labels, names)
        complete = np.ones(len(starts), dtype=bool)
        np.logical_and.at(complete, codes[shown], has[shown])
        leave_out("the joined log does not have all of their items", ~complete)
    if not kept.any():
        reasons = "; ".join(f"{count:,}: {reason}" for reason, count in left_out.items())
        raise DataError(f"{directory}: none of {len(starts):,} requests can be used ({reasons or 'it is empty'})")
    rows = kept[codes]
    sizes = np.diff(bounds)[kept]
    values = {name: np.where(shown, column, np.nan)[rows] for name, column in found.items()}
    return Exposures(table.filter(pa.array(rows)), np.insert(np.cumsum(sizes), 0, 0), values, left_out)


def _table(directory: Path, schema: Schema, labels: Sequence[str], model: str | None) -> Any:
    """The rows of one model, text decoded; columns that only some files have are null in the others."""
    columns = [*REQUEST, ITEM, *ROW, *(f"{prefix}{task}" for prefix in (SCORE, RAW) for task in schema.tasks)]
    columns += [prefix + column for prefix in (CONTEXT, CANDIDATE) for column in schema.input_columns()]
    tables, models = [], set()
    for file, table in read_log(directory, list(dict.fromkeys([*columns, *labels]))):
        for name in (*REQUEST, *ROW, ITEM, *labels):
            if name not in table.column_names:
                raise DataError(f"{file.path}: lacks the column {name!r}{_hint(name, labels)}")
        plain = pa.table(
            {
                field.name: table.column(field.name).cast(pa.string())
                if pa.types.is_dictionary(field.type)
                else table.column(field.name)
                for field in table.schema
            }
        )
        names = set(plain.column("model").unique().to_pylist())
        models |= names
        if model is not None and names != {model}:
            plain = plain.filter(pa.array(plain.column("model").to_pandas() == model))
        tables.append(plain)
    if not tables:
        raise DataError(f"{directory}: has no finished files of an exposure log")
    if model is not None and model not in models:
        raise DataError(f"--model {model}: the log has no such model{alternatives(model, sorted(map(str, models)))}")
    if model is None and len(models) > 1:
        raise DataError(f"{directory}: has several models; name one of {', '.join(sorted(map(str, models)))} (--model)")
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except pa.ArrowException as error:
        raise DataError(f"{directory}: its files have columns of different types: {error}") from None


def _hint(name: str, labels: Sequence[str]) -> str:
    return "; name the log that `ranker-train join` has written with --labels" if name in labels else ""


def _joined(table: Any, schema: Schema, labels: Source, names: Sequence[str]) -> tuple[dict[str, Floats], Mask]:
    """Labels of the rows [N] from a joined log, and which rows it has [N]."""
    item = ITEM if schema.candidate_id is None else schema.column(schema.candidate_id)
    log = Log(labels, {**of_kind("text", ["request_id", item]), **of_kind("number", names)})
    parts = []
    for chunk in log.arrow_chunks(["request_id", item, *names]):
        keys = {"request_id": chunk.arrays["request_id"], ITEM: chunk.arrays[item]}
        parts.append(
            pd.DataFrame(
                {
                    **{name: column.cast(pa.string()).to_pandas() for name, column in keys.items()},
                    **{f"label {name}": _numbers(chunk.arrays[name], name, chunk.source) for name in names},
                    "has": True,
                }
            )
        )
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


def _null(column: Any) -> Mask:
    return np.asarray(column.is_null().to_numpy(), dtype=bool)
