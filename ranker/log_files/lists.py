"""Rows of a stream -> whole lists, also those that span chunks and files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import ColumnError
from ranker.encoding.vocabulary import HashedVocabulary
from ranker.encoding.within_list import ListInputs, ListValues
from ranker.log_files.chunks import ArrowChunk, Chunk
from ranker.log_files.errors import DataError

Keys = NDArray[np.int64]

MAX_LIST = 1_000_000
"""Most rows of a list, so that memory stays bounded."""
MISSING = 0
"""Key of a missing value."""
GOLDEN_RATIO = np.uint64(0x9E3779B97F4A7C15)


class Block(NamedTuple):
    """Rows to score together: chunks in order, and the first row [L] of each list, counted from the block's first."""

    chunks: Sequence[ArrowChunk]
    starts: NDArray[np.intp] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def end(self) -> int:
        """Index in the input of the row after the last."""
        return self.chunks[-1].number + self.chunks[-1].rows

    def place(self, row: int) -> str:
        """Name the file and the row in it of a row of the block."""
        for chunk in self.chunks:
            if row < chunk.rows:
                return f"{chunk.source}, row {chunk.first + row}"
            row -= chunk.rows
        raise IndexError(row)


class ListKeys:
    """Keys of the lists that rows belong to: hashes of 62 bits of the values in some columns.

    ``option`` is what names the columns, for messages.
    """

    def __init__(self, columns: Sequence[str], option: str = "--rank-by") -> None:
        self.columns, self.option = tuple(columns), option
        self._hashes = [HashedVocabulary(1 << 62) for _ in columns]

    def of(self, chunk: ArrowChunk) -> Keys:
        """Keys [N]. Raises ``DataError`` for a missing value and for values of another type than before."""
        read = chunk.converted(self.columns)
        keys = np.zeros(chunk.rows, dtype=np.uint64)
        for name, hashed in zip(self.columns, self._hashes, strict=True):
            with read.naming_rows():
                codes = hashed.add(read.columns[name], name)
                missing = np.flatnonzero(codes == MISSING)
                if len(missing):
                    raise ColumnError(name, int(missing[0]), None, "the name of a list, to which each row must belong")
            keys = (keys ^ codes.view(np.uint64)) * GOLDEN_RATIO
            keys ^= keys >> np.uint64(31)
        return keys.view(np.int64)

    def named(self, chunk: ArrowChunk, row: int) -> str:
        """The values of a row, for messages."""
        return ", ".join(f"{name} {chunk.arrays[name][row].as_py()!r}" for name in self.columns)


class SeenLists:
    """Keys of all lists so far, in sorted arrays of falling size: 8 bytes per list."""

    def __init__(self) -> None:
        self._runs: list[Keys] = []

    def add(self, keys: Keys) -> int | None:
        """Add keys [L]; return the position of the first that was there before, or ``None``."""
        order = np.argsort(keys, kind="stable")
        new = keys[order]
        again = np.zeros(len(keys), dtype=bool)
        again[order[1:]] = new[1:] == new[:-1]
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, keys), len(run) - 1)
            again |= run[places] == keys
        if again.any():
            return int(np.argmax(again))
        if len(new):
            self._runs.append(new)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last, one = self._runs.pop(), self._runs.pop()
            self._runs.append(np.sort(np.concatenate([one, last]), kind="stable"))
        return None


def starts_of(keys: Keys) -> NDArray[np.intp]:
    """First row [L] of each run of equal keys [N]."""
    changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return np.concatenate([np.zeros(min(len(keys), 1), dtype=np.intp), changes])


def whole_lists(chunks: Iterable[ArrowChunk], keys: ListKeys, seen: SeenLists) -> Iterator[Block]:
    """Blocks of whole lists; the last list of a chunk waits for the next chunk.

    Raises ``DataError`` for a list whose rows are not consecutive, a row without a list, and a list of more than
    ``MAX_LIST`` rows.
    """
    pending: list[ArrowChunk] = []
    key = None
    for chunk in chunks:
        if not chunk.rows:
            continue
        found = keys.of(chunk)
        starts = starts_of(found)
        continued = key is not None and found[0] == key
        new = starts[1:] if continued else starts
        if (place := seen.add(found[new])) is not None:
            row = int(new[place])
            raise DataError(
                f"{chunk.source}, row {chunk.first + row}: the list of {keys.named(chunk, row)} began before, and "
                f"other lists are between its rows; sort the rows by the columns of {keys.option}, or name columns "
                "that tell lists apart"
            )
        cut, key = int(starts[-1]), found[-1]
        if continued and len(starts) == 1:
            pending.append(chunk)
        else:
            whole = [*pending, chunk.rows_from(0, cut)] if cut else pending
            if whole:
                begun = np.zeros(1 if pending else 0, dtype=np.intp)
                others = starts[1:-1] if continued else starts[:-1]
                yield Block(whole, np.concatenate([begun, others + sum(part.rows for part in pending)]))
            pending = [chunk.rows_from(cut, chunk.rows)]
        if sum(part.rows for part in pending) > MAX_LIST:
            raise DataError(
                f"{chunk.source}, row {chunk.first + chunk.rows - 1}: the list of {keys.named(chunk, chunk.rows - 1)} "
                f"has more than {MAX_LIST:,} rows; name columns that identify one request with {keys.option}"
            )
    if pending:
        yield Block(pending, np.zeros(1, dtype=np.intp))


def with_inputs(block: Block, inputs: ListInputs) -> list[Chunk]:
    """The chunks of a block as columns, among them the inputs within its lists. Raises ``DataError``."""
    assert block.starts is not None, "inputs within lists are computed of whole lists"
    chunks = [chunk.converted() for chunk in block.chunks]
    parts = []
    for chunk in chunks:
        with chunk.naming_rows():
            parts.append(inputs.values(chunk.columns, chunk.rows))
    found, first, filled = inputs.within(ListValues.joined(parts), block.starts), 0, []
    for chunk in chunks:
        rows = slice(first, first + chunk.rows)
        own = {name: values[rows] for name, values in found.items()}
        filled.append(replace(chunk, columns={**chunk.columns, **own}))
        first += chunk.rows
    return filled
