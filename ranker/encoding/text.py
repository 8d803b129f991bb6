"""Text columns as UTF-8 bytes, in Arrow's layout, with vectorised hashing and comparison."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
WORD = 8
"""Bytes hashed and compared at a time."""
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(WORD + 1)], dtype=np.uint64)
"""Bit mask of the first n bytes of a little-endian word, by n."""
_WHOLE = 2**64 - 1


@dataclass(frozen=True, eq=False)
class Text:
    """N rows of text that refer to K strings.

    Attributes
    ----------
    data
        UTF-8 bytes of the K strings, concatenated.
    offsets
        String ``k`` is ``data[offsets[k]:offsets[k + 1]]`` [K + 1].
    rows
        Index of each row's string [N]; -1 for null.
    """

    data: NDArray[np.uint8]
    offsets: Integers
    rows: Integers

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Self:
        """Build from one string per row; lone surrogates are encoded as Python's ``surrogatepass`` does."""
        try:
            whole = np.frombuffer("\0".join(values).encode("utf-8", "surrogatepass"), dtype=np.uint8)  # type: ignore[arg-type]
        except TypeError:
            whole = np.zeros(0, dtype=np.uint8)  # there is a null
        ends = np.flatnonzero(whole == 0)
        if len(whole) and len(ends) == len(values) - 1:  # no string contains a NUL
            offsets = np.concatenate([[0], ends - np.arange(len(ends)), [len(whole) - len(ends)]])
            return cls(whole[whole != 0], offsets, np.arange(len(values)))
        encoded = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in values]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(value) for value in encoded], out=offsets[1:])
        missing = np.array([value is None for value in values], dtype=bool)
        rows = np.where(missing, -1, np.arange(len(encoded)))
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets, rows)

    @classmethod
    def stored(cls, data: NDArray[np.uint8], lengths: Integers, offsets: Integers) -> Self:
        """Build from saved arrays that may be mapped, so that none is copied; ``data`` ends with a word of zeros.

        There are no rows: such a text is a list of K strings.
        """
        text = cls(data, offsets, np.zeros(0, dtype=np.int64))
        vars(text)["lengths"] = lengths  # else computed from the offsets
        return text

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.tolist())

    def tolist(self) -> list[str | None]:
        """Python strings [N], ``None`` for null."""
        used, rows = np.unique(self.rows, return_inverse=True)
        strings: list[str | None] = [None] * int(used[:1].tolist() == [-1])
        strings += self.strings(used[len(strings) :])
        return [strings[row] for row in rows.tolist()]

    def strings(self, which: Integers | None = None) -> list[str]:
        """Selected strings of the K, or all of them, as Python strings."""
        starts, ends = self.offsets[:-1], self.offsets[1:]
        if which is not None:
            starts, ends = starts[which], ends[which]
        data = np.ascontiguousarray(self.data).data
        bounds = zip(starts.tolist(), ends.tolist(), strict=True)
        return [str(data[start:end], "utf-8", "surrogatepass") for start, end in bounds]

    def __getitem__(self, places: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Text":
        return Text(self.data, self.offsets, self.rows[places])

    @cached_property
    def lengths(self) -> Integers:
        """Length in bytes of each of the K strings."""
        return np.diff(self.offsets)

    def hashes(self, strings: Integers, salt: int = 0) -> NDArray[np.uint64]:
        """64-bit hashes of selected strings."""
        starts, lengths = self.offsets[strings], self.lengths[strings]
        mixed = splitmix64(lengths.astype(np.uint64) + np.uint64(salt << 32))
        for step in range(0, int(lengths.max(initial=0)), WORD):
            longer = np.flatnonzero(lengths > step)
            word = self._words[starts[longer] + step] & _MASKS[np.minimum(lengths[longer] - step, WORD)]
            mixed[longer] = splitmix64(mixed[longer] ^ word)
        return mixed

    def equals(self, strings: Integers, other: "Text", others: Integers) -> NDArray[np.bool_]:
        """Whether each selected string equals the paired string of another text."""
        lengths = self.lengths[strings]
        same: NDArray[np.bool_] = lengths == other.lengths[others]
        starts, other_starts = self.offsets[strings], other.offsets[others]
        for step in range(0, int(lengths.max(initial=0)), WORD):
            longer = np.flatnonzero(same & (lengths > step))
            differing = self._words[starts[longer] + step] ^ other._words[other_starts[longer] + step]
            same[longer] = (differing & _MASKS[np.minimum(lengths[longer] - step, WORD)]) == 0
        return same

    def confirmed(
        self, strings: Integers, positions: Integers, other: "Text", at: Callable[[Integers], Integers]
    ) -> Integers:
        """Verify positions [S] that were looked up by hash: -1 where the string at the position differs.

        ``at`` maps positions to strings of ``other``. Writes into ``positions``.
        """
        hits = np.flatnonzero(positions >= 0)
        positions[hits[~self.equals(strings[hits], other, at(positions[hits]))]] = -1
        return positions

    @cached_property
    def _words(self) -> NDArray[np.uint64]:
        """The eight bytes starting at each byte, zero-padded at the end."""
        padded = self.data
        if len(padded) < self.offsets[-1] + WORD:
            padded = np.concatenate([padded[: self.offsets[-1]], np.zeros(WORD, dtype=np.uint8)])
        return np.ndarray(len(padded) - WORD + 1, dtype="<u8", buffer=padded, strides=(1,))


def text_hash(data: bytes, salt: int = 0) -> int:
    """The hash of one string, as :meth:`Text.hashes` computes it."""
    hashed = mixed(len(data) + (salt << 32))
    for start in range(0, len(data), WORD):
        hashed = mixed(hashed ^ int.from_bytes(data[start : start + WORD], "little"))
    return hashed


def mixed(value: int) -> int:
    """:func:`splitmix64` of one value from 0 to 2**64 - 1."""
    value = (value + 0x9E3779B97F4A7C15) & _WHOLE
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WHOLE
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WHOLE
    return value ^ (value >> 31)


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of each value. Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
