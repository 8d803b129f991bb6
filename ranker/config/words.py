"""Pydantic's errors in terms of YAML: what a value must be, or what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Any

from ranker.registry import alternatives

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "bytes": "text",
    "list": "a list, such as [a, b]",
    "tuple": "a list, such as [a, b]",
    "set": "a list, such as [a, b]",
    "dict": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "dataclass": "a mapping of keys to values",
    "date": "a date or time",
    "datetime": "a date or time",
    "time": "a time",
    "none": "null",
}
"""What a value must be, by the first word of Pydantic's error type, such as ``int_parsing``."""
_IMPLIED = {"a whole number": "a number"}
"""Kinds left out of a message that also names a more general kind."""


def kind(mistake: Mapping[str, Any]) -> str | None:
    """What a value of the wrong kind must be; ``None`` for other errors."""
    name: str = mistake["type"]
    if name == "literal_error":
        return str(mistake["ctx"]["expected"])
    first, _, rest = name.partition("_")
    if first == "finite" or rest.startswith(("type", "parsing", "from", "attributes_type")):
        return _KINDS.get(first)
    return None


def one_of(kinds: Iterable[str]) -> str:
    """Message that a value must be of one of some kinds."""
    distinct = list(dict.fromkeys(kinds))
    *others, last = [each for each in distinct if _IMPLIED.get(each) not in distinct]
    return f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


def words(mistake: Mapping[str, Any]) -> str:
    """Message of an error, without the value."""
    expected, context = kind(mistake), mistake.get("ctx", {})
    if expected is not None:
        return one_of([expected])
    match mistake["type"]:
        case "missing":
            return "is required"
        case "union_tag_invalid":
            known = [name.strip(" '") for name in context["expected_tags"].split(",")]
            return f"unknown name {context['tag']!r:.200}{alternatives(context['tag'], known)}"
        case "union_tag_not_found":
            return f"needs the key {context['discriminator']}"
        case "too_short" | "too_long":
            bound, side = (
                (context["min_length"], "at least")
                if mistake["type"] == "too_short"
                else (context["max_length"], "at most")
            )
            return f"must have {side} {bound} value(s), and has {context['actual_length']}"
    message: str = mistake["msg"].removeprefix("Value error, ")
    for pydantic in ("Input should ", "String should ", "Value should "):
        message = message.replace(pydantic, "must ", 1) if message.startswith(pydantic) else message
    return message
