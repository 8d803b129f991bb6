"""Pydantic's errors about a YAML file -> one line each: which line, which path, what is wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, model: type[BaseModel], tree: yaml.Node | None) -> Iterator[str]:
    """Yield a line for each mistake: ``line 12, training.epochs: ...``; ``tree`` is the composed YAML file."""
    schema = model.model_json_schema()
    for mistake in error.errors(include_url=False):
        path = _resolve(schema, mistake["loc"])
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "unknown_key":
            path.append(mistake["ctx"]["key"])
        if not path:  # a check of several sections at once names its place in its text
            named, _, rest = message.partition(": ")
            parts = named.split(".")
            if rest and parts[0] in schema["properties"] and " " not in named:
                path, message = list(parts), rest
        line = _line(tree, path)
        if mistake["type"] == "missing":
            message = "is required"
        elif mistake["type"] != "unknown_key" and not isinstance(mistake["input"], Mapping):
            given = repr(mistake["input"])
            message = message if given in message else f"{message}, got {given}"
        where = ".".join(str(part) for part in path) or "the config as a whole"
        yield f"line {line}, {where}: {message}"


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


def _line(tree: yaml.Node | None, path: list[int | str]) -> int:
    """Line of the deepest part of ``path`` that the file has, counted from 1."""
    line, node = 1, tree
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
