"""Sizes of a request, looked at before anything is made of it: a check must cost no more than the reading."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.protocol.errors import RequestError

MOST_COLUMNS = 1000
"""Columns of an Arrow stream, where no model has so many."""
UNKNOWN_KEYS = 100
"""Keys that an object may have beyond those that there are: so many mistakes are told one by one."""
MOST_OBJECTS = 2**18
"""Lists and objects of a body of JSON: an empty one is two bytes of text, and some sixty in memory."""


@dataclass(frozen=True)
class Bounds:
    """How much a request may hold: ``candidates``, and ``columns`` of them and the context together."""

    candidates: int
    columns: int

    @property
    def arrow_columns(self) -> int:
        """Columns of an Arrow stream, unknown ones included: these are told by name."""
        return max(MOST_COLUMNS, self.columns + UNKNOWN_KEYS)

    @property
    def keys(self) -> int:
        """Keys in a body of JSON: twice what all candidates have as rows, and those of other objects."""
        return 2 * self.candidates * self.columns + 10 * UNKNOWN_KEYS


def count_keys(body: bytes) -> int:
    """About how many keys a body of JSON has, seldom too many and never too few.

    Each has a colon, behind a quote or white space. Colons within strings, of times for one, are mostly behind other
    letters.
    """
    letters = np.frombuffer(body, dtype=np.uint8)
    before = letters[np.flatnonzero(letters == ord(":")) - 1]
    return int(np.count_nonzero(before <= ord('"')))


def require_few_keys_in(body: bytes, bounds: Bounds) -> None:
    """Raise ``RequestError`` where a body of JSON has many more keys than any request."""
    if body.count(b":") > bounds.keys and (found := count_keys(body)) > bounds.keys:
        told = f"twice what {bounds.candidates} candidates have as rows"
        raise RequestError([("body", f"may have at most {bounds.keys} keys ({told}), got {found}")])


def require_few_objects(body: bytes) -> None:
    """Raise ``RequestError`` where a body of JSON has more lists and objects than any request."""
    if len(body) >= 2 * MOST_OBJECTS and body.count(b"[") + body.count(b"{") > MOST_OBJECTS:
        raise RequestError([("body", f"may hold at most {MOST_OBJECTS} lists and objects")])


def require_few_keys(raw: Mapping[str, Any], context: int, columns: int) -> None:
    """Raise ``RequestError`` where an object of a request has many more keys than there are.

    ``context`` and ``columns`` are how many there are of each.
    """
    problems = [
        (where, f"may have at most {most + UNKNOWN_KEYS} keys, got {len(found)}")
        for where, found, most in _objects(raw, context, columns)
        if len(found) > most + UNKNOWN_KEYS
    ]
    if problems:
        raise RequestError(problems)


def _objects(raw: Mapping[str, Any], context: int, columns: int) -> Iterator[tuple[str, Collection[Any], int]]:
    yield "body", raw, 0
    for name, most in (("context", context), ("candidates", columns), ("fusion", 0)):
        if isinstance(found := raw.get(name), Mapping):
            yield name, found, most
    fusion = raw.get("fusion")
    parameters = fusion.get("parameters") if isinstance(fusion, Mapping) else None
    if isinstance(parameters, Mapping):
        yield "fusion.parameters", parameters, 0
        if len(parameters) <= UNKNOWN_KEYS:
            yield from ((f"fusion.parameters.{n}", v, 0) for n, v in parameters.items() if isinstance(v, Mapping))
