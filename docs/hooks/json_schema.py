"""Tables of a JSON Schema's objects in Markdown: key, type, default, description."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Node = Mapping[str, Any]
Link = Callable[[str], str]
"""Name of a definition to the Markdown that stands for it."""


def name_of(node: Node) -> str:
    """Name of the definition that a node refers to, or nothing."""
    return str(node.get("$ref", "")).rsplit("/", 1)[-1]


def code(value: Any) -> str:
    """A value as JSON in code."""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def cell(text: str) -> str:
    """A text in one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def type_of(node: Node, link: Link) -> str:
    """What values a node takes, in words."""
    if "$ref" in node:
        return link(name_of(node))
    if "const" in node:
        return code(node["const"])
    if "enum" in node:
        return ", ".join(map(code, node["enum"]))
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in node:
            return " or ".join(dict.fromkeys(type_of(one, link) for one in node[alternatives]))
    kind = node.get("type")
    if kind == "array":
        items = [type_of(one, link) for one in node.get("prefixItems", ())]
        return f"list of {' and '.join(items) or type_of(node.get('items', {}), link)}{_length(node)}"
    if kind == "object":
        values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
        return f"mapping of name to {type_of(values, link)}" if isinstance(values, dict) and values else "mapping"
    return f"{kind or 'any value'}{_bounds(node)}"


def _length(node: Node) -> str:
    least = node.get("minItems", 0)
    return f", at least {least}" if least else ""


def _bounds(node: Node) -> str:
    names = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {node[name]:g}" for name, sign in names.items() if name in node]
    return f" {', '.join(told)}" if told else ""


def table(node: Node, link: Link) -> str:
    """The properties of an object as a table, or a line that there is none."""
    properties = node.get("properties", {})
    if not properties:
        return "No keys.\n"
    rows = ["| key | type | default | |", "|---|---|---|---|"]
    for key, value in properties.items():
        what = value.get("description", "")
        default = "required" if key in node.get("required", ()) else _default(value)
        rows.append(f"| `{key}` | {cell(type_of(value, link))} | {cell(default)} | {cell(what)} |")
    return "\n".join(rows) + "\n"


def _default(node: Node) -> str:
    """The default; that of an object is in the object's own table."""
    value = node.get("default")
    return "" if "default" not in node or (isinstance(value, dict) and value) else code(value)


def references(node: Any) -> list[str]:
    """Names of the definitions that a node refers to, in order, without repeats."""
    if isinstance(node, Mapping):
        own = [name_of(node)] if "$ref" in node else []
        return list(dict.fromkeys([*own, *(name for value in node.values() for name in references(value))]))
    return list(dict.fromkeys(name for value in node for name in references(value))) if isinstance(node, list) else []
