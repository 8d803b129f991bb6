"""Encodes a Parquet file of items, or a folder of such files, into a folder that :class:`ItemStore` maps."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ranker.arrow_columns import ColumnTooLargeError, ColumnTypeError, Limits, to_column
from ranker.artifact import Artifact
from ranker.encoding import Column, ColumnError, Text
from ranker.encoding.columns import MISSING, integers, numbers
from ranker.encoding.kinds import RequestType
from ranker.encoding.text import WORD
from ranker.encoding.value_types import Typed, ValueType
from ranker.registry import suggestion
from ranker.schema import Schema
from serving.features.items.reserved import new_array, save_array
from serving.features.items.store import FACTS, IDS, KEYS, LISTS, NUMBERS, ORDER, ROWS, Facts, ItemsError

LIMITS = Limits()
BATCH = 8192
"""Items encoded at a time; few enough that a building worker still answers requests in between."""

INTEGERS: Mapping[str, type[np.integer[Any]]] = {"integer": np.int64, "unsigned": np.uint64}
"""Types of raw ids, which floats would not tell apart from 2**53."""


class Batch(NamedTuple):
    """Consecutive rows of a file. ``within`` is the first row's number in the file, ``first`` over all files."""

    file: Path
    within: int
    first: int
    columns: dict[str, Column]


def files_of(source: Path) -> list[Path]:
    """The file, or the Parquet files in the folder. Raises ``ItemsError`` if there is none."""
    files = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not files or not all(file.is_file() for file in files):
        raise ItemsError(f"{source}: is neither a Parquet file nor a folder of Parquet files")
    return files


def raw_features(artifact: Artifact) -> list[str]:
    """Candidate features whose raw values a fusion of the artifact reads."""
    read = dict.fromkeys(name for plan in artifact.fusions.values() for name in plan.features)
    return [name for name in read if name in artifact.schema.candidate]


def _listed(schema: Schema, name: str) -> int | None:
    """Number of raw values per item of a feature of lists; ``None`` for one of a single value."""
    listed = schema.features[name].listed([], schema.column(name))
    return None if listed is None else listed.shape[1]


def _codes(listed: NDArray[Any], codes: dict[Any, int]) -> NDArray[np.float64]:
    """Codes [N, W] of tags, which re-ranking only compares; NaN for none. New ones are added to ``codes``."""
    rows = [[np.nan if tag is None else codes.setdefault(tag, len(codes)) for tag in row] for row in listed.tolist()]
    return np.array(rows, dtype=np.float64).reshape(listed.shape)


def build(source: Path, artifact: Artifact, folder: Path) -> None:
    """Encode all items into ``folder``, which must exist and be empty.

    Raises ``ItemsError``, and ``OSError`` if the disk has no room for them.
    """
    schema, encoder = artifact.schema, artifact.encoder
    if schema.candidate_id is None:
        raise ItemsError(f"{source}: items are looked up by id, but the artifact's schema has no candidate_id")
    files = files_of(source)
    id_column = schema.column(schema.candidate_id)
    ids, kind = _ids(files, id_column, encoder.encodings[schema.candidate_id].request_type)
    keys, order, salt = _sorted(ids, source, id_column)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    layout = encoder.layout.candidate
    rows = new_array(folder / ROWS, np.int32, (len(order), layout.id_width))
    values = new_array(folder / NUMBERS, np.float32, (len(order), layout.number_width))
    combined = enumerate(encoder.combined)
    codes = {name: new_array(folder / f"code.{i}.npy", np.int32, (len(order),)) for i, name in combined}
    raw: dict[str, Any] = {}
    tags: dict[str, dict[Any, int]] = {}
    texts: dict[str, list[Text]] = {schema.candidate_id: [ids]} if isinstance(ids, Text) else {}
    for name in raw_features(artifact):
        if name not in texts:
            if (width := _listed(schema, name)) is not None:
                raw[name] = new_array(folder / f"raw.{len(raw)}.npy", np.float64, (len(order), width))
            elif encoder.encodings[name].request_type.value == "string":
                texts[name] = []
            elif encoder.encodings[name].request_type.value in INTEGERS:
                raw[name] = new_array(
                    folder / f"raw.{len(raw)}.npy", INTEGERS[encoder.encodings[name].request_type.value], (len(order),)
                )
            else:
                raw[name] = new_array(folder / f"raw.{len(raw)}.npy", np.float64, (len(order),))
    compared: list[Any] = []
    if (inputs := encoder.list_inputs) is not None:
        widths = (np.float64, len(inputs.numeric)), (np.int64, len(inputs.ids))
        compared = [
            new_array(folder / name, dtype, (len(order), width))
            for name, (dtype, width) in zip(LISTS, widths, strict=True)
        ]
    matches = encoder.matches
    keys_of = None if matches is None else new_array(folder / KEYS, np.int64, (len(order), matches.width))
    columns = list(dict.fromkeys(schema.column(name) for name in schema.candidate))
    optional = optional_columns(schema)
    for batch in _batches(files, columns, optional):
        try:
            encoder.times.check(schema, batch.columns, numbers=True)
            items = encoder.encode_items(batch.columns)
            to = place[batch.first : batch.first + len(items.ids)]
            rows[to], values[to] = items.ids, items.numbers
            for name, item_codes in items.codes.items():
                codes[name][to] = item_codes
            for array, part in zip(compared, items.lists or (), strict=True):
                array[to] = part
            if keys_of is not None:
                keys_of[to] = items.keys
            for name, array in raw.items():
                column = schema.column(name)
                listed = schema.features[name].listed(batch.columns[column], column)
                if listed is None and array.dtype.kind in "iu":
                    found = integers(batch.columns[column], column, unsigned=array.dtype.kind == "u")
                    array[to] = found.view(array.dtype)
                elif listed is None:
                    array[to] = numbers(batch.columns[column], column)
                else:
                    array[to] = listed if listed.dtype != object else _codes(listed, tags.setdefault(name, {}))
        except ColumnError as error:
            in_file = ColumnError(error.column, batch.within + error.row, error.value, error.expected)
            raise ItemsError(f"{batch.file}: {in_file}") from None
        for name, chunks in texts.items():
            if name != schema.candidate_id:
                column = schema.column(name)
                chunks.append(_as_text(schema.candidate[name].as_declared(batch.columns[column], column)))
    for number, chunks in enumerate(texts.values()):
        text = joined(chunks)
        # Padded, so that whole words can be read up to the last byte without copying.
        save_array(folder / f"text.{number}.npy", np.append(text.data, np.zeros(WORD, dtype=np.uint8)))
        save_array(folder / f"text.{number}.offsets.npy", text.offsets)
        save_array(folder / f"text.{number}.rows.npy", text.rows)
    save_array(folder / IDS, keys)
    save_array(folder / ORDER, order)
    facts = Facts(kind, salt, list(codes), list(raw), list(texts))
    (folder / FACTS).write_bytes(orjson.dumps(facts._asdict()))


def _ids(files: list[Path], column: str, id_type: RequestType) -> tuple[NDArray[np.int64] | Text, ValueType]:
    """Ids of all items in file order, and their type. Raises ``ItemsError`` for null and for a wrong type.

    If training saw no id, the items' ids decide the type. Unsigned ids are kept as signed integers of the same bits.
    """
    reader, parts = Typed(id_type.id_type, id_type.declared), []
    for batch in _batches(files, [column]):
        try:
            part = reader.learn(batch.columns[column], column)
        except ColumnError as error:
            in_file = ColumnError(column, batch.within + error.row, error.value, f"an item id: {error.expected}")
            raise ItemsError(f"{batch.file}: {in_file}") from None
        text = Text.of(part) if isinstance(part, list) else part
        missing = (
            np.ones(1, dtype=bool) if text is None else text.rows < 0 if isinstance(text, Text) else text == MISSING
        )
        if missing.any():
            row = batch.within + int(np.argmax(missing))
            raise ItemsError(f"{batch.file}: column {column!r}, row {row}: an item has no id")
        parts.append(text)
    kind = reader.kind or "integer"
    texts = [part for part in parts if isinstance(part, Text)]
    return joined(texts) if kind == "string" else np.concatenate([np.zeros(0, dtype=np.int64), *parts]), kind


def _sorted(ids: NDArray[np.int64] | Text, source: Path, column: str) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """Look-up keys in ascending order (ids, or hashes of text ids), the row of each, and the salt of the hashes."""
    salt = 0
    while True:
        keys: Any = ids
        if isinstance(ids, Text):
            keys = ids.hashes(np.arange(len(ids.lengths)), salt)[ids.rows]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        same = np.flatnonzero(keys[1:] == keys[:-1])
        if isinstance(ids, Text) and len(same):
            first, second = ids.rows[order[same]], ids.rows[order[same + 1]]
            same = same[ids.equals(first, ids, second)]
            if not len(same):  # different ids collide: hash again with another salt
                salt += 1
                continue
        if len(same):
            row = order[same[:1]]
            name = ids[row].tolist()[0] if isinstance(ids, Text) else int(ids[row][0])
            raise ItemsError(f"{source}: column {column!r} holds the id {name!r} more than once")
        return keys, order, salt


def optional_columns(schema: Schema) -> set[str]:
    """Columns of candidate features that items may lack: those that no feature requires."""
    features = [(schema.column(name), feature.required) for name, feature in schema.candidate.items()]
    return {column for column, _ in features} - {column for column, required in features if required}


def _batches(files: list[Path], columns: list[str], optional: Collection[str] = ()) -> Iterator[Batch]:
    """Read the files in batches of rows; an optional column that a file lacks has only missing values."""
    first = 0
    for file in files:
        try:
            parquet = pq.ParquetFile(file)
            names = parquet.schema_arrow.names
            for column in columns:
                if column not in names and column not in optional:
                    raise ItemsError(f"{file}: has no column {column!r}{suggestion(column, names)}")
                if names.count(column) > 1:
                    raise ItemsError(f"{file}: has the column {column!r} more than once; which one is meant?")
            within = 0
            present = [name for name in columns if name in names]
            for batch in parquet.iter_batches(batch_size=BATCH, columns=present):
                taken: dict[str, Column] = {name: [None] * batch.num_rows for name in columns}
                taken |= {name: _column(file, name, batch.column(name), within) for name in present}
                yield Batch(file, within, first + within, taken)
                within += batch.num_rows
            first += within
        except (pa.ArrowException, OSError) as error:
            raise ItemsError(f"{file}: cannot be read: {error}") from None


def _column(file: Path, name: str, array: Any, within: int) -> Column:
    try:
        return to_column(array, name, LIMITS)
    except ColumnTooLargeError as error:
        raise ItemsError(f"{file}: column {name!r} {error}") from None
    except ColumnTypeError as error:
        raise ItemsError(f"{file}: {error}") from None
    except ColumnError as error:
        in_file = ColumnError(name, within + error.row, error.value, error.expected)
        raise ItemsError(f"{file}: {in_file}") from None


def joined(chunks: list[Text]) -> Text:
    """Concatenate chunks of text."""
    datas, lengths, rows, strings = [np.zeros(0, np.uint8)], [np.zeros(1, np.int64)], [np.zeros(0, np.int64)], 0
    for chunk in chunks:
        datas.append(chunk.data[chunk.offsets[0] : chunk.offsets[-1]])
        lengths.append(chunk.lengths)
        rows.append(np.where(chunk.rows < 0, -1, chunk.rows + strings))
        strings += len(chunk.lengths)
    return Text(np.concatenate(datas), np.cumsum(np.concatenate(lengths)), np.concatenate(rows))


def _as_text(column: Column) -> Text:
    return column if isinstance(column, Text) else Text.of(list(column))  # type: ignore[arg-type] # of nulls
