"""A folder of encoded items, memory-mapped and sorted by id.

::

    facts.json      type of the ids, salt of their hashes, names of the columns below
    ids.npy         integer ids [V], ascending, unsigned ones as signed of the same bits; hashes of string ids
    order.npy       row of the items file at each position [V]
    rows.npy        encoded ids [V, W]
    numbers.npy     encoded numbers [V, F]
    code.N.npy      codes [V] of a feature that label statistics cross with the context
    list_numbers.npy, list_keys.npy    what items are compared by within a list [V, F] and [V, C], if they are
    match_keys.npy  keys [V, K] that are looked up in lists of the context, if any are
    raw.N.npy       numbers and whole ids [V] that fusions read, or [V, W] of lists: vectors, and codes of tags
    text.N.npy      strings that fusions read, or the ids, with text.N.offsets.npy; text.N.rows.npy is in file order
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.encoding import Column, Items, Text
from ranker.encoding.columns import MISSING, integers
from ranker.encoding.within_list import ListValues
from ranker.inference.pool import with_missing

IDS, ORDER, ROWS, NUMBERS, FACTS = "ids.npy", "order.npy", "rows.npy", "numbers.npy", "facts.json"
LISTS = ("list_numbers.npy", "list_keys.npy")
"""Files of the arrays of :class:`~ranker.encoding.within_list.ListValues`."""

KEYS = "match_keys.npy"
"""File of the keys of :class:`~ranker.encoding.matching.Matches`."""


class ItemsError(RuntimeError):
    """Items that cannot be served; the message names the file, the column and the value."""


class Facts(NamedTuple):
    """Content of ``facts.json``; a column's position in its list is the N of its files."""

    kind: str
    salt: int
    codes: list[str]
    raw: list[str]
    text: list[str]


class ItemStore:
    """V memory-mapped items; workers share the pages in the operating system's cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts(**orjson.loads((folder / FACTS).read_bytes()))
        self._ids, self._order = self._array(IDS), self._array(ORDER)
        self._rows, self._numbers = self._array(ROWS), self._array(NUMBERS)
        self._codes = {name: self._array(f"code.{i}.npy") for i, name in enumerate(self.facts.codes)}
        stored = (folder / LISTS[0]).exists()
        self._lists = ListValues(*(self._array(name) for name in LISTS)) if stored else None
        self._keys = self._array(KEYS) if (folder / KEYS).exists() else None
        self._raw = {name: self._array(f"raw.{i}.npy") for i, name in enumerate(self.facts.raw)}
        self._text = {name: self._strings(i) for i, name in enumerate(self.facts.text)}

    def __len__(self) -> int:
        return len(self._ids)

    def places(self, ids: Column, id_feature: str) -> NDArray[np.int64]:
        """Position of each item [N]; -1 for unknown ids and null."""
        if self.facts.kind == "string":
            text = ids if isinstance(ids, Text) else Text.of(_strings_alone(list(ids)))  # type: ignore[arg-type]
            known = self._text[id_feature]
            strings = np.arange(len(text.lengths))
            matches = self._positions(text.hashes(strings, self.facts.salt))
            confirmed = text.confirmed(strings, matches, known, lambda places: known.rows[self._order[places]])
            return np.append(confirmed, -1)[text.rows]
        if isinstance(ids, Text) or (isinstance(ids, list) and str in set(map(type, ids))):
            ids = [None if isinstance(value, str) else value for value in ids]
        return self._positions(integers(ids, id_feature, self.facts.kind == "unsigned"))  # no item has null as its id

    def encoded(self, places: NDArray[np.int64]) -> Items:
        """Copies of the encoded items at positions [N]."""
        codes = {name: array[places].astype(np.int64) for name, array in self._codes.items()}
        lists = None if self._lists is None else self._lists.taken(places)
        keys = None if self._keys is None else self._keys[places]
        return Items(self._rows[places], self._numbers[places], codes, lists, keys)

    def raw(self, feature: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """Raw values [N] for fusions; missing where the position is -1."""
        if feature in self._raw:
            known = self._raw[feature]
            unknown = places < 0
            if known.dtype.kind in "iu":
                found = known[places] if len(known) else np.zeros(len(places), dtype=known.dtype)
                missing = unknown | (found.view(np.int64) == MISSING)
                return with_missing(np.where(missing, 0, found).astype(known.dtype), missing)
            if not len(known):
                return np.full((len(places), *known.shape[1:]), np.nan)
            return np.where(unknown if known.ndim == 1 else unknown[:, None], np.nan, known[places])
        text = self._text[feature]
        rows = np.full(len(places), -1, dtype=np.int64)
        rows[places >= 0] = text.rows[self._order[places[places >= 0]]]
        return np.array(Text(text.data, text.offsets, rows).tolist(), dtype=object)

    def _positions(self, keys: NDArray[Any]) -> NDArray[np.int64]:
        if not len(self._ids):
            return np.full(len(keys), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._ids, keys), len(self._ids) - 1)
        return np.where(self._ids[places] == keys, places, -1)

    def _array(self, name: str) -> NDArray[Any]:
        mapped = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        return mapped.view(np.ndarray)  # type: ignore[no-any-return] # np.memmap's overhead would slow every look-up

    def _strings(self, number: int) -> Text:
        parts = [self._array(f"text.{number}{part}.npy") for part in ("", ".offsets", ".rows")]
        return Text(*parts)


def _strings_alone(values: list[Any]) -> list[str | None]:
    """Values with everything that is not a string replaced by null."""
    if set(map(type, values)) == {str}:
        return values
    return [value if isinstance(value, str) else None for value in values]
