"""Pydantic's errors about a YAML file -> one line each: which line, which path, what is wrong."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ranker.yaml_core import written

NAMED = ("unknown_key", "boolean_for_number")
"""Kinds of mistakes that a model reports of one of its keys; their context holds the key."""
LONGEST = 200
"""Characters of a value, or of a key, that a message shows."""
LONGEST_MESSAGE = 2000
"""Characters of a message; some list everything that is valid, and quote what is not."""


def explain(error: ValidationError, model: type[BaseModel], tree: yaml.Node | None) -> Iterator[str]:
    """Yield a line for each mistake: ``line 12, training.epochs: ...``; ``tree`` is the composed YAML file."""
    schema = _schema(model)
    for mistake in error.errors(include_url=False):
        path = _resolve(schema, mistake["loc"])
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] in NAMED:
            path.append(mistake["ctx"]["key"])
        if not path:  # a check of several sections at once names its place in its text
            named, _, rest = message.partition(": ")
            parts = named.split(".")
            if rest and parts[0] in schema["properties"] and " " not in named:
                path, message = list(parts), rest
        line, node = _find(tree, path)
        if mistake["type"] == "missing":
            message = "is required"
        elif mistake["type"] not in NAMED and not isinstance(mistake["input"], Mapping):
            given = _shown(mistake["input"], node)
            message = message if given in message else f"{message}, got {given}"
            if mistake["type"] == "string_type" and (text := written(node)):
                message += f'; text is written in quotes: "{text}"'
        where = ".".join(f"{part!s:.{LONGEST}}" for part in path) or "the config as a whole"
        rest = "..." if len(message) > LONGEST_MESSAGE else ""
        yield f"line {line}, {where}: {message[:LONGEST_MESSAGE]}{rest}"


@lru_cache(maxsize=16)
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON Schema of a model; it is kept, for that of a whole experiment takes a good part of a second."""
    return model.model_json_schema()


def _resolve(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> list[int | str]:
    """Drop from a location what is not in the file: the tags of unions."""
    path: list[int | str] = []
    node = _follow(schema, schema)
    for part in loc:
        if part in ("[key]", "function-after", "constrained-str"):
            continue
        if "discriminator" in node and part in node["discriminator"]["mapping"]:
            node = _follow(schema, {"$ref": node["discriminator"]["mapping"][part]})
            continue
        properties = _properties(schema, node)
        if isinstance(part, int):
            path.append(part)
            node = _follow(schema, node.get("items", {}))
        elif part in properties:
            path.append(part)
            node = _follow(schema, properties[part])
        elif values := _values(node):
            path.append(part)
            node = _follow(schema, values)
        elif properties or not path:
            path.append(part)
            node = {}
        # else: the name of a member of a plain union, such as `float` or `dict[str,float]`
    return path


def _properties(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = dict(node.get("properties", {}))
    for option in node.get("anyOf", []):
        found.update(_follow(schema, option).get("properties", {}))
    return found


def _values(node: Mapping[str, Any]) -> Any:
    """Schema of a mapping's values, whether or not its keys must match a pattern."""
    patterns = list(node.get("patternProperties", {}).values())
    return patterns[0] if patterns else node.get("additionalProperties")


def _follow(schema: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    while isinstance(node, Mapping) and "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node if isinstance(node, Mapping) else {}


def _shown(value: Any, node: yaml.Node | None) -> str:
    """The value, and how the file writes it where that is another text."""
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
    text = written(node)
    plain = text is None or isinstance(value, bool) or text in (shown, str(value))
    return shown if plain else f"{shown} (written {text:.{LONGEST}})"


def _find(tree: yaml.Node | None, path: list[int | str]) -> tuple[int, yaml.Node | None]:
    """Line, counted from 1, of the deepest part of ``path`` that the file has, and the node of the whole path."""
    line, node = 1, tree
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                return line, None
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line, None
    return line, node
