"""Reads an impression log as a stream of typed columns from Parquet or CSV files, folders and globs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from ranker.config.csv_options import CsvOptions
from ranker.encoding import ColumnError
from ranker.encoding.columns import shortened
from ranker.encoding.within_list import ListInputs
from ranker.log_files import FilePart
from ranker.log_files.chunks import ArrowChunk as ArrowChunk
from ranker.log_files.chunks import Chunk as Chunk
from ranker.log_files.chunks import located
from ranker.log_files.csv_types import Kind, Resolved, merged, of_kind
from ranker.log_files.csv_values import converted
from ranker.log_files.errors import DataError as DataError
from ranker.log_files.find import find_files
from ranker.log_files.hive import unpadded
from ranker.log_files.lists import Block, ListKeys, SeenLists, whole_lists, with_inputs
from ranker.log_files.part import Batch, format_by_name
from ranker.log_files.resolve import check_families, resolve
from ranker.log_files.spans import Span, span_blocks
from ranker.remote_files import Location, full_name, identity

Source: TypeAlias = Sequence[str | Path]
LIST_BY = "schema.within_list.list_by"
"""The key that names the columns of lists, for messages."""


class Log:
    """A log that can be streamed any number of times in bounded memory.

    ``kinds`` are the kinds of CSV columns (text by default), ``csv`` is the CSV format. ``notes`` are messages for the
    user, such as skipped files. ``lists`` computes columns of inputs within lists, if there are any.
    """

    lists: ListInputs | None = None
    _within: tuple[tuple[Span, ...], int] | None = None
    """The spans, and the place of the one that is read, if not the whole log is."""

    def __init__(self, source: Source, kinds: Mapping[str, Kind] | None = None, csv: CsvOptions | None = None) -> None:
        found = find_files(source)
        self.notes: list[str] = found.notes
        self.kinds, self.csv = dict(kinds or {}), csv
        self._parts = [_opened(path, csv) for path in found.files]

    def typed(self, kinds: Mapping[str, Kind]) -> "Log":
        """The same log with more column kinds."""
        log = Log.__new__(Log)
        log.notes, log.csv, log._parts = self.notes, self.csv, self._parts
        log.kinds, log.lists, log._within = merged(self.kinds, kinds), self.lists, self._within
        return log

    def with_lists(self, lists: ListInputs | None) -> "Log":
        """The same log with columns of inputs within lists, besides those that it has.

        Raises ``DataError`` if these are of other lists or columns.
        """
        log = self.typed({} if lists is None else of_kind("id", lists.list_by))
        try:
            log.lists = lists if self.lists is None else self.lists.joined(lists)
        except ValueError as error:
            raise DataError(f"the log cannot be read for two schemas with {error}") from None
        return log

    def beside(self, source: Source) -> "Log":
        """Another log with the same column types, CSV format and lists."""
        other = Log(source, self._resolved, self.csv)
        other.lists = self.lists
        return other

    def __len__(self) -> int:
        """Number of rows; CSV files count as 0 because their length is unknown."""
        return sum(part.rows for part in self._parts)

    def paths(self) -> list[str]:
        """Absolute paths or URLs of the files."""
        return [full_name(part.path) for part in self._parts]

    def shared(self, other: "Log") -> list[str]:
        """Names of the files that are also in another log."""
        theirs = {identity(part.path) for part in other._parts}
        return [part.name for part in self._parts if identity(part.path) in theirs]

    def fingerprint(self) -> list[Any]:
        """Names, sizes and modification times of the files, which identify the log."""
        return [part.fingerprint() for part in self._parts]

    def chunks(self, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Chunk]:
        """Stream the columns in chunks. Files without an ``optional`` column that another file has yield nulls.

        Inputs within lists, if columns name any, are computed of whole lists, whose rows must be consecutive. Raises
        ``DataError`` for a missing column, a wrong type or a broken file, and for a list that comes back.
        """
        for chunk in self._converted(columns, optional):
            absent = {name: np.full(chunk.rows, np.nan) for name in columns if name not in chunk.columns}
            yield replace(chunk, columns={**chunk.columns, **absent})

    def _converted(self, columns: Sequence[str], optional: Sequence[str]) -> Iterator[Chunk]:
        lists = self.lists
        if lists is None or not set(lists.names).intersection(columns):
            yield from (chunk.converted() for chunk in self.arrow_chunks(columns, optional))
            return
        for block in self.list_blocks(self.stored_columns(columns), optional):
            yield from with_inputs(block, lists)

    def stored_columns(self, columns: Sequence[str]) -> list[str]:
        """The columns to read for some columns: in place of inputs within lists, those that they are computed from."""
        if self.lists is None or not set(self.lists.names).intersection(columns):
            return list(columns)
        stored = [column for column in columns if column not in self.lists.names]
        return list(dict.fromkeys([*stored, *self.lists.list_by, *self.lists.columns]))

    def list_blocks(self, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Block]:
        """Stream stored columns in blocks of whole lists, or without ``lists`` in chunks.

        Raises ``DataError`` as :meth:`arrow_chunks`, for a row without a list and for a list that comes back.
        """
        if self.lists is None:
            return (Block([chunk]) for chunk in self.arrow_chunks(columns, optional))
        keys = ListKeys(self.lists.list_by, LIST_BY)
        if self._within is not None:
            return span_blocks(lambda span: self.span_chunks(span, columns, optional), *self._within, keys)
        return whole_lists(self.arrow_chunks(columns, optional), keys, SeenLists())

    def arrow_chunks(
        self, columns: Sequence[str], optional: Sequence[str] = (), *, keep: Sequence[str] = (), skip: int = 0
    ) -> Iterator[ArrowChunk]:
        """Stream the columns as Arrow arrays in the chunks of :meth:`chunks`; absent columns are left out.

        Columns in ``keep`` are given as they are stored, too. Chunks within the first ``skip`` rows are left out.
        Raises ``DataError`` as :meth:`chunks`, except for types and values that only a conversion to columns finds.
        """
        if self._within is not None:
            spans, index = self._within
            yield from self.span_chunks(spans[index], columns, optional, keep=keep)
            return
        number = 0
        wanted = self.check(columns, optional, keep)
        for part, present in zip(self._parts, wanted, strict=True):
            if 0 < part.rows <= skip - number:
                number += part.rows
                continue
            for chunk in self._chunks_of(part, present, keep, part.batches, 0, number):
                number = chunk.number + chunk.rows
                if number > skip:
                    yield chunk

    def check(self, columns: Sequence[str], optional: Sequence[str] = (), keep: Sequence[str] = ()) -> list[list[str]]:
        """The columns that each file has of those that :meth:`arrow_chunks` is to read. Raises its ``DataError``."""
        names = [part.columns() for part in self._parts]
        spare = {column for column in optional if any(column in known for known in names)}
        wanted = []
        for part, known in zip(self._parts, names, strict=True):
            wanted.append([column for column in columns if column not in spare or column in known])
            part.check([*wanted[-1], *keep], self._parts)
        check_families(self._parts, self.kinds, columns)
        return wanted

    def spans(self, counted: Mapping[str, int] | None = None) -> list[Span]:
        """Ranges of rows that can be read apart, by several processes; together they are the log.

        ``counted`` has the rows of text files, by name, whose length is otherwise unknown. Afterwards the log may be
        pickled without that each process finds the types of text columns again.
        """
        found, number = [], 0
        for place, part in enumerate(self._parts):
            found += [Span(place, start, number + start) for start in part.cuts()]
            number += part.rows or (counted or {}).get(part.name, 0)
        if any(part.holds_text(column) for part in self._parts for column in part.columns()):
            self._resolved  # noqa: B018
        return found

    def text_rows(self) -> dict[str, int]:
        """Rows of each file whose length is unknown, by name; reads these files."""
        return {part.name: sum(rows for rows, _ in part.batches([])) for part in self._parts if not part.rows}

    def at(self, spans: Sequence[Span], index: int) -> "Log":
        """The rows of one of the spans; of whole lists, those of the blocks that belong to it."""
        log = self.typed({})
        log.__dict__.update({"_resolved": self._resolved} if "_resolved" in self.__dict__ else {})
        log._within = (tuple(spans), index)
        return log

    def span_chunks(
        self, span: Span, columns: Sequence[str], optional: Sequence[str] = (), *, keep: Sequence[str] = ()
    ) -> Iterator[ArrowChunk]:
        """The chunks of :meth:`arrow_chunks` in a span. Raises ``DataError``, also if the file is not on this machine.

        Their ``number`` counts on from the span's.
        """
        part = self._parts[span.file]
        present = self.check(columns, optional, keep)[span.file]

        def batches(stored: Sequence[str]) -> Iterator[Batch]:
            return part.batches_from(stored, span.start)

        return self._chunks_of(part, present, keep, batches, span.start, span.number)

    def _chunks_of(
        self,
        part: FilePart,
        present: Sequence[str],
        keep: Sequence[str],
        batches: Callable[[Sequence[str]], Iterator[Batch]],
        first: int,
        number: int,
    ) -> Iterator[ArrowChunk]:
        stored = [column for column in dict.fromkeys([*present, *keep]) if not part.in_path(column)]
        for rows, arrays in batches(stored):
            found = {name: self._typed(part, name, arrays[name], first) for name in present if name in arrays}
            found |= {name: self._repeated(part, name, rows) for name in present if part.in_path(name)}
            kept = {c: arrays[c] if c in arrays else pa.repeat(part.folders[c], rows) for c in keep}
            yield ArrowChunk(part.name, first, number, rows, found, kept)
            first += rows
            number += rows

    def arrow_type(self, column: str) -> Any:
        """The Arrow type of a column as it is stored in all files; text files have text.

        Dictionaries have indices of at least 32 bits, since those of several files and row groups become one.
        Raises ``DataError`` if a file has no such column, or if types have no common one.
        """
        found: dict[Any, str] = {}
        for part in self._parts:
            part.check([column], self._parts)
            kind = pa.string() if part.holds_text(column) else _wide(part.type_of(column))
            found.setdefault(kind, part.name)
        if len(found) == 1:
            return next(iter(found))
        plain = {kind.value_type if pa.types.is_dictionary(kind) else kind: name for kind, name in found.items()}
        try:
            schemas = [pa.schema([pa.field(column, kind)]) for kind in plain]
            return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
        except pa.ArrowException:
            (one, first), (other, second), *_ = plain.items()
            raise DataError(
                f"column {column!r} is of type {one} in {first} and of type {other} in {second}, which have no common "
                "type"
            ) from None

    @cached_property
    def _resolved(self) -> dict[str, Resolved]:
        return resolve(self._parts, self.kinds)

    def _typed(self, part: FilePart, name: str, array: Any, first: int) -> Any:
        """Convert text to its column's type. Raises ``DataError`` for an invalid value."""
        if not part.holds_text(name):
            return array
        try:
            return part.typed(array, name, self._resolved.get(name, "text"))
        except ColumnError as error:
            raise DataError(located(part.name, first, error)) from None

    def _repeated(self, part: FilePart, name: str, rows: int) -> Any:
        """A column whose value comes from the path, repeated for each row."""
        kind, text = self._resolved.get(name, "text"), part.folders[name]
        value = pa.array([unpadded(text) if kind in ("integer", "unsigned") else text], pa.string())
        try:
            array = converted(value, name, kind)
        except ColumnError as error:
            shown = f"{shortened(error.value)} is not {error.expected}"
            raise DataError(f"{part.name}, column {name!r} of its path: {shown}") from None
        return pa.repeat(array[0], rows)


def _wide(kind: Any) -> Any:
    if not pa.types.is_dictionary(kind) or kind.index_type.bit_width >= 32:
        return kind
    return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)


def _opened(path: Location, csv: CsvOptions | None) -> FilePart:
    part = format_by_name(path)
    assert part is not None, "find_files finds no others"
    return part(path, csv)
