"""Parses JSON, rejecting duplicate keys, with exact integers where needed."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from serving.protocol.bounds import count_keys
from serving.protocol.errors import RequestError


def parsed(body: bytes, where: str) -> Any:
    """Parse a JSON body; ``where`` names it in errors.

    Raises ``RequestError`` for invalid JSON, and for duplicate keys, of which parsers keep only the last.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError([(where, f"is not valid JSON (which has no NaN or infinity): {error}")]) from None
    keys = _keys(content)
    if body.count(b":") != keys and count_keys(body) != keys:  # the text may have more keys than were kept
        duplicates = [
            (f"{where}.{path}" if where != "body" else path, "is a duplicate key") for path in _duplicates(body)
        ]
        if duplicates:
            raise RequestError(duplicates)
    return content


def exactly(body: bytes) -> Any:
    """Parse with exact integers, where orjson makes floats beyond 64 bits. ``None`` if nested too deeply."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # ValueError: an integer of thousands of digits
        return None


def _keys(content: Any) -> int:
    """Number of keys in all objects; objects within a list are counted only if its first entry is an object."""
    keys, parts = 0, [content]  # no recursion: the depth of a body is bounded only by its length
    while parts:
        part = parts.pop()
        if type(part) is dict:
            keys += len(part)
            parts += [v for v in part.values() if type(v) is dict or (type(v) is list and v and type(v[0]) is dict)]
        elif type(part) is list:
            keys += sum(len(row) for row in part if type(row) is dict)
    return keys


class _Members(dict[str, Any]):
    """An object with its duplicate keys."""

    duplicates: tuple[str, ...] = ()


def _members(pairs: list[tuple[str, Any]]) -> Any:
    members = _Members(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        members.duplicates = tuple(name for name in members if counts[name] > 1)
    return members


def _duplicates(body: bytes) -> Iterator[str]:
    """Paths of duplicate keys."""
    try:
        content = json.loads(body, object_pairs_hook=_members, parse_int=float)
    except RecursionError:  # nested too deeply for any valid request
        return
    parts: list[tuple[str, Any]] = [("", content)]  # grows while nested objects are found
    for path, part in parts:
        if isinstance(part, _Members):
            yield from (f"{path}{name}" for name in part.duplicates)
        inner = part.items() if isinstance(part, dict) else enumerate(part)
        parts += ((f"{path}{name}.", value) for name, value in inner if isinstance(value, dict | list))
