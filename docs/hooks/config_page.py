"""The page of the config's keys, from the JSON Schema that ``ranker-train schema`` prints."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from json_schema import Node, cell, references, table, type_of

INTRODUCTION = """# Config: every key

From the JSON Schema that `ranker-train schema` prints. [The config](../config.md) explains how the sections work
together. A key that is not here is an error, which names the nearest key that is.

## Sections
"""
DISCRIMINATORS = ("name", "kind", "by", "method")
"""Keys whose constant says which of several objects one is."""
OPTIONS = re.compile(r".*(?P<section>architecture|funnel|interaction|position|weighting).*__Options")
"""Names of the classes of options, which hold their module's name."""


def page(schema: Mapping[str, Any]) -> str:
    """Every section and object of a config, each once, where it is first needed."""
    definitions = schema["$defs"]

    def link(name: str) -> str:
        return f"[{_title(name, definitions[name])}](#{_anchor(name)})"

    done: set[str] = set()
    parts = [INTRODUCTION, _overview(schema)]
    for section, node in schema["properties"].items():
        parts.append(f"## `{section}`")
        parts.append(node.get("description", ""))
        if "$ref" not in node:
            parts.append(f"Takes {type_of(node, link)}.")
        for name in _in_order(node, definitions, done):
            found = definitions[name]
            parts += [f"### {_title(name, found)} {{#{_anchor(name)}}}", found.get("description", "")]
            parts.append(table(found, link))
    return "\n\n".join(filter(None, parts)) + "\n"


def _overview(schema: Mapping[str, Any]) -> str:
    """A list of the sections."""
    rows = ["| section | | |", "|---|---|---|"]
    for name, node in schema["properties"].items():
        required = "required" if name in schema["required"] else ""
        rows.append(f"| [`{name}`](#{name}) | {required} | {cell(node.get('description', ''))} |")
    return "\n".join(rows)


def _in_order(node: Any, definitions: Mapping[str, Any], done: set[str]) -> Iterator[str]:
    """Names of the objects that a node needs and that are not done, each before those it needs itself."""
    for name in references(node):
        if name not in done:
            done.add(name)
            yield name
            yield from _in_order(definitions[name], definitions, done)


def _title(name: str, node: Node) -> str:
    """What an object is called: its own word for one of several, else its class."""
    options = OPTIONS.fullmatch(name)
    section = f"{options['section']}, " if options else ""
    for key in DISCRIMINATORS:
        value = node.get("properties", {}).get(key, {})
        if "const" in value:
            return f"{section}{key}: {value['const']}"
    return name


def _anchor(name: str) -> str:
    return name.rsplit("ranker__", 1)[-1].removesuffix("__Options").lower()
