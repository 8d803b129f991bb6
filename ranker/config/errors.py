"""Pydantic's errors about a YAML file -> messages of one line with line number, path and problem."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError

from ranker.config.words import kind, one_of, words
from ranker.config.yaml import written

NAMED = ("unknown_key", "boolean_for_number")
"""Error types that a model reports about one of its keys; their context holds the key."""
LONGEST = 200
"""Maximum characters of a value or key in a message."""
LONGEST_MESSAGE = 2000
"""Maximum characters of a message; some list all valid values and quote invalid ones."""


class _Mistake(NamedTuple):
    """One Pydantic error; ``union`` is the location of the union that it belongs to, if any."""

    path: list[int | str]
    union: tuple[int | str, ...] | None
    details: Mapping[str, Any]


def explain(error: ValidationError, model: type[BaseModel], tree: yaml.Node | None) -> list[str]:
    """One line per error: ``line 12, training.epochs: ...``; ``tree`` is the YAML document, if any."""
    schema = _schema(model)
    mistakes = [_Mistake(*_resolve(schema, details["loc"]), details) for details in error.errors(include_url=False)]
    return [_line(schema, mistake, text, tree) for mistake, text in _distinct(mistakes)]


def _distinct(mistakes: list[_Mistake]) -> Iterator[tuple[_Mistake, str]]:
    """Errors with their messages; a value that matches no alternative of a union is one error."""
    done: set[tuple[int | str, ...]] = set()
    for mistake in mistakes:
        if mistake.details["type"] == "too_short" and any(_below(tuple(mistake.path), other) for other in mistakes):
            continue  # the list is too short only because its invalid items were removed
        if mistake.union is None:
            yield mistake, words(mistake.details)
        elif mistake.union not in done:
            done.add(mistake.union)
            yield from _of_union([other for other in mistakes if other.union == mistake.union])


def _of_union(mistakes: list[_Mistake]) -> Iterator[tuple[_Mistake, str]]:
    """Errors of a value that matches no member of a union; only those of a member of the right kind, if any."""
    fitting = [each for each in mistakes if kind(each.details) is None or _below(each.union or (), each)]
    if fitting:
        yield from ((each, words(each.details)) for each in fitting)
    else:
        yield mistakes[-1], one_of(str(kind(each.details)) for each in mistakes)


def _below(place: tuple[int | str, ...], mistake: _Mistake) -> bool:
    return len(mistake.path) > len(place) and tuple(mistake.path[: len(place)]) == place


def _line(schema: Mapping[str, Any], mistake: _Mistake, message: str, tree: yaml.Node | None) -> str:
    path, details = mistake.path, mistake.details
    if details["type"] in NAMED:
        path = [*path, details["ctx"]["key"]]
    if not path:  # a check across sections names the path in its own text
        named, _, rest = message.partition(": ")
        parts = named.split(".")
        if rest and parts[0] in schema["properties"] and " " not in named:
            path, message = list(parts), rest
    line, node = _find(tree, path)
    if details["type"] not in (*NAMED, "missing") and not isinstance(details["input"], Mapping):
        given = _shown(details["input"], node)
        message = message if given in message else f"{message}, got {given}"
        if details["type"] == "string_type" and mistake.union is None and (text := written(node)):
            message += f'; text is written in quotes: "{text}"'
    elif kind(details) is not None:
        message = f"{message}, got a mapping"
    where = ".".join(f"{part!s:.{LONGEST}}" for part in path) or "the config as a whole"
    rest = "..." if len(message) > LONGEST_MESSAGE else ""
    place = where if tree is None else f"line {line}, {where}"
    return f"{place}: {message[:LONGEST_MESSAGE]}{rest}"


@lru_cache(maxsize=16)
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON Schema of a model; cached, since that of an experiment takes a good part of a second."""
    return model.model_json_schema()


def _resolve(
    schema: Mapping[str, Any], loc: tuple[int | str, ...]
) -> tuple[list[int | str], tuple[int | str, ...] | None]:
    """Location without parts that are not in the file (union tags), and the location of its outermost plain union."""
    path: list[int | str] = []
    union: tuple[int | str, ...] | None = None
    node = _follow(schema, schema)
    for part in loc:
        if part in ("[key]", "function-after", "constrained-str"):
            continue
        if "discriminator" in node and part in node["discriminator"]["mapping"]:
            node = _follow(schema, {"$ref": node["discriminator"]["mapping"][part]})
        elif "anyOf" in node:  # the part names a member, such as `float` or `dict[str,float]`
            union = tuple(path) if union is None else union
            node = _member(schema, node, str(part))
        else:
            path.append(part)
            node = _child(schema, node, part)
    return path, union


def _child(schema: Mapping[str, Any], node: Mapping[str, Any], part: int | str) -> Mapping[str, Any]:
    """Schema of a list item, a model's key or a mapping's value."""
    if isinstance(part, int):
        return _follow(schema, node.get("items", {}))
    properties = node.get("properties", {})
    return _follow(schema, properties[part] if part in properties else _values(node) or {})


def _member(schema: Mapping[str, Any], node: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Schema of the member of a plain union with this Pydantic name; empty for a member without parts."""
    options = [_follow(schema, option) for option in node["anyOf"]]
    if name.startswith("dict["):
        return next((option for option in options if _values(option)), {})
    if "[" in name:
        return next((option for option in options if "items" in option), {})
    return next((option for option in options if option.get("title") == name), {})


def _values(node: Mapping[str, Any]) -> Any:
    """Schema of a mapping's values, with or without a pattern for keys."""
    patterns = list(node.get("patternProperties", {}).values())
    return patterns[0] if patterns else node.get("additionalProperties")


def _follow(schema: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    """Resolve a reference or an optional value to its schema."""
    while isinstance(node, Mapping):
        options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif len(options) == 1:
            node = options[0]
        else:
            return node
    return {}


def _shown(value: Any, node: yaml.Node | None) -> str:
    """The value, and its text in the file if that differs."""
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    text = written(node)
    plain = text is None or isinstance(value, bool) or text in (shown, str(value))
    return shown if plain else f"{shown} (written {text:.{LONGEST}})"


def _find(tree: yaml.Node | None, path: list[int | str]) -> tuple[int, yaml.Node | None]:
    """Line number of the deepest part of ``path`` in the file, and the node of the whole path."""
    line, node = 1, tree
    for part in path:
        if isinstance(node, yaml.MappingNode):
            matches = [(key, value) for key, value in node.value if key.value == str(part)]
            if not matches:
                return line, None
            line, node = matches[0][0].start_mark.line + 1, matches[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line, None
    return line, node
