"""JSON in which no object has a key twice, and integers of any size."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from serving.protocol.bounds import count_keys
from serving.protocol.errors import RequestError


def parsed(body: bytes, where: str) -> Any:
    """What a body of JSON says; ``where`` names it in errors.

    Raises ``RequestError`` for other text, and for an object that has a key twice: parsers would keep the last.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError([(where, f"is not valid JSON (NaN and infinity are none): {error}")]) from None
    keys = _keys(content)
    if body.count(b":") != keys and count_keys(body) != keys:  # more than were kept
        twice = [
            (f"{where}.{path}" if where != "body" else path, "stands twice in one object") for path in _twice(body)
        ]
        if twice:
            raise RequestError(twice)
    return content


def exactly(body: bytes) -> Any:
    """The same with every integer exact; orjson makes floats of those beyond 64 bits. ``None`` where it is too deep."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return None


def _keys(content: Any) -> int:
    """How many keys the objects of a request have; those within lists only where a list begins with one."""
    keys, parts = 0, [content]  # no recursion: a body may be as deep as it is long
    while parts:
        part = parts.pop()
        if type(part) is dict:
            keys += len(part)
            parts += [v for v in part.values() if type(v) is dict or (type(v) is list and v and type(v[0]) is dict)]
        elif type(part) is list:
            keys += sum(len(row) for row in part if type(row) is dict)
    return keys


class _Members(dict[str, Any]):
    """An object, with the keys that it has twice."""

    twice: tuple[str, ...] = ()


def _members(pairs: list[tuple[str, Any]]) -> Any:
    found = _Members(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        counts = Counter(names)
        found.twice = tuple(name for name in found if counts[name] > 1)
    return found


def _twice(body: bytes) -> Iterator[str]:
    """Paths of the keys that stand twice in one object."""
    try:
        content = json.loads(body, object_pairs_hook=_members, parse_int=float)
    except RecursionError:  # so deep that it is no request
        return
    parts: list[tuple[str, Any]] = [("", content)]  # grows as objects within are found
    for path, part in parts:
        if isinstance(part, _Members):
            yield from (f"{path}{name}" for name in part.twice)
        inner = part.items() if isinstance(part, dict) else enumerate(part)
        parts += ((f"{path}{name}.", value) for name, value in inner if isinstance(value, dict | list))
