"""The page of the HTTP API, from the OpenAPI document of a service with a small artifact and every route."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from json_schema import Node, cell, name_of, references, table, type_of

INTRODUCTION = """# HTTP API

From the OpenAPI document of a service (`/openapi.json`; `/docs` shows it in a browser). The columns of `context` and
`candidates` are those of the served model: here it is the model of the examples in [serving](../serving.md), which
explains formats, limits, errors and headers. The routes under `/admin` exist where the service has admin keys. Beside
these, `/metrics` is for Prometheus.
"""
JSON = "application/json"


def document() -> dict[str, Any]:
    """The OpenAPI document of a service that has every route, over an artifact made for it."""
    from pydantic import SecretStr

    from serving.app import create_app
    from serving.settings import Settings
    from tests.artifacts import written
    from tests.serving.test_docs import documented

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "runtime").mkdir()
        artifact = written(Path(folder), **documented(), fusion={})
        settings = Settings(
            artifact=artifact.folder,
            runtime=Path(folder) / "runtime",
            engine="onnxruntime",
            admin_keys=SecretStr("a key that only this document sees"),
        )
        found: dict[str, Any] = create_app(settings).openapi()
    return found


def page(api: Mapping[str, Any]) -> str:
    """Every route with its parameters, body and answers, and then the objects that they use."""
    definitions = api["components"]["schemas"]

    def link(name: str) -> str:
        return f"[{name}](#{name.lower()})"

    parts = [INTRODUCTION]
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            parts += [f"## `{method.upper()} {path}`", route.get("description", ""), *_parameters(route, link)]
            parts += [*_body(route, link), _answers(route, link)]
    parts.append("## Objects")
    for name in _needed(api["paths"], definitions):
        parts += [f"### {name} {{#{name.lower()}}}", definitions[name].get("description", "")]
        parts.append(table(definitions[name], link))
    return "\n\n".join(filter(None, parts)) + "\n"


def _parameters(route: Node, link: Any) -> list[str]:
    rows = [
        f"| `{one['name']}` | {one['in']} | {cell(type_of(one['schema'], link))} | {cell(one.get('description', ''))} |"
        for one in route.get("parameters", ())
    ]
    return ["\n".join(["| parameter | in | type | |", "|---|---|---|---|", *rows])] if rows else []


def _body(route: Node, link: Any) -> list[str]:
    if "requestBody" not in route:
        return []
    content = route["requestBody"]["content"]
    told = content[JSON]
    schema = told["schema"]
    parts = [f"**Body**: {', '.join(f'`{kind}`' for kind in content)}. {route['requestBody'].get('description', '')}"]
    parts.append(f"{link(name_of(schema))}." if "$ref" in schema else table(schema, link))
    if "example" in told:
        parts.append(f"```json\n{json.dumps(told['example'])}\n```")
    return parts


def _answers(route: Node, link: Any) -> str:
    rows = ["| status | answer | |", "|---|---|---|"]
    for status, answer in route["responses"].items():
        schemas = [one["schema"] for one in answer.get("content", {}).values() if "$ref" in one.get("schema", {})]
        named = ", ".join(dict.fromkeys(type_of(schema, link) for schema in schemas))
        kinds = ", ".join(f"`{kind}`" for kind in answer.get("content", {}))
        what = named or ("JSON" if kinds == f"`{JSON}`" else kinds)
        rows.append(f"| {status} | {what} | {cell(answer['description'])} |")
    return "\n".join(rows)


def _needed(node: Any, definitions: Mapping[str, Any]) -> list[str]:
    """Names of all objects that the routes refer to, and of those that these refer to."""
    found = references(node)
    for name in found:  # grows while it is read
        found += [more for more in references(definitions[name]) if more not in found]
    return found
