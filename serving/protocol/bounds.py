"""Size limits of a request, checked before it is parsed or validated, at less cost than reading it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.protocol.errors import RequestError

MOST_COLUMNS = 1000
"""Least limit of the columns of an Arrow stream; it is higher if a model has more columns."""
UNKNOWN_KEYS = 100
"""Keys that an object may have beyond the known ones; each of them is reported by name."""
MOST_OBJECTS = 2**18
"""Most lists and objects in a JSON body: an empty one takes two bytes of text but some 60 bytes of memory."""


@dataclass(frozen=True)
class Bounds:
    """Most ``candidates`` of a request, and most ``columns`` of candidates and context together."""

    candidates: int
    columns: int

    @property
    def arrow_columns(self) -> int:
        """Most columns of an Arrow stream, including unknown ones, which are reported by name."""
        return max(MOST_COLUMNS, self.columns + UNKNOWN_KEYS)

    @property
    def keys(self) -> int:
        """Most keys in a JSON body: twice those of all candidates as rows, plus some for other objects."""
        return 2 * self.candidates * self.columns + 10 * UNKNOWN_KEYS


def count_keys(body: bytes) -> int:
    """Estimate the number of keys in a JSON body; it is never too low and rarely too high.

    A key's colon follows a quote or white space. Colons within strings, as in times, mostly follow other characters.
    """
    letters = np.frombuffer(body, dtype=np.uint8)
    before = letters[np.flatnonzero(letters == ord(":")) - 1]
    return int(np.count_nonzero(before <= ord('"')))


def require_few_keys_in(body: bytes, bounds: Bounds) -> None:
    """Raise ``RequestError`` if a JSON body has many more keys than any valid request."""
    if body.count(b":") > bounds.keys and (count := count_keys(body)) > bounds.keys:
        why = f"twice those of {bounds.candidates} candidates as rows"
        raise RequestError([("body", f"may have at most {bounds.keys} keys ({why}), got {count}")])


def require_few_objects(body: bytes) -> None:
    """Raise ``RequestError`` if a JSON body has more lists and objects than any valid request."""
    if len(body) >= 2 * MOST_OBJECTS and body.count(b"[") + body.count(b"{") > MOST_OBJECTS:
        raise RequestError([("body", f"may hold at most {MOST_OBJECTS} lists and objects")])


def require_few_keys(raw: Mapping[str, Any], context: int, columns: int) -> None:
    """Raise ``RequestError`` if an object of a request has many more keys than are known.

    ``context`` and ``columns`` are the numbers of context and candidate columns.
    """
    problems = [
        (where, f"may have at most {known + UNKNOWN_KEYS} keys, got {len(content)}")
        for where, content, known in _objects(raw, context, columns)
        if len(content) > known + UNKNOWN_KEYS
    ]
    if problems:
        raise RequestError(problems)


def _objects(raw: Mapping[str, Any], context: int, columns: int) -> Iterator[tuple[str, Collection[Any], int]]:
    """Objects of a request: their path, content, and number of known keys (0 for small ones)."""
    yield "body", raw, 0
    for name, known in (("context", context), ("candidates", columns), ("fusion", 0)):
        if isinstance(content := raw.get(name), Mapping):
            yield name, content, known
    fusion = raw.get("fusion")
    parameters = fusion.get("parameters") if isinstance(fusion, Mapping) else None
    if isinstance(parameters, Mapping):
        yield "fusion.parameters", parameters, 0
        if len(parameters) <= UNKNOWN_KEYS:
            yield from ((f"fusion.parameters.{n}", v, 0) for n, v in parameters.items() if isinstance(v, Mapping))
    rerank = fusion.get("rerank") if isinstance(fusion, Mapping) else None
    if isinstance(rerank, Mapping):
        yield from _nested("fusion.rerank", rerank, 2)
    explore = fusion.get("explore") if isinstance(fusion, Mapping) else None
    if isinstance(explore, Mapping):
        yield from _nested("fusion.explore", explore, 1)


def _nested(where: str, content: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Collection[Any], int]]:
    """An object and those within it down to a depth, as :func:`_objects`; not those within one that is too large."""
    yield where, content, 0
    if depth and len(content) <= UNKNOWN_KEYS:
        for name, value in content.items():
            if isinstance(value, Mapping):
                yield from _nested(f"{where}.{name}", value, depth - 1)
