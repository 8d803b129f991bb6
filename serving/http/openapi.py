"""The OpenAPI document, with the served models' request schemas and examples that can be sent unchanged."""

import weakref
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from serving.http.content_encoding import ACCEPTED
from serving.protocol.formats import ARROW, BY_ROW, JSON, READERS
from serving.protocol.messages import Problems, RankingByRow
from serving.ranking.ranker import Ranker
from serving.registry.snapshot import Snapshot

EXAMPLE_CANDIDATES = 3
PROBLEMS = {
    400: "The body cannot be read.",
    401: "The API key is missing or not valid.",
    404: "There is no such model or version.",
    406: "Accept allows no supported format; the answer lists them.",
    408: "The body came too slowly, or was the slowest when too many were being received.",
    409: "The version is refused, or there is no previous version; the current version stays.",
    413: "The body is too large, compressed or uncompressed.",
    415: "The format or Content-Encoding is not supported; the answer lists those that are.",
    422: "The request is invalid; the answer lists the problems by field.",
    500: "The service failed; its log says why, under the answer's request id.",
    503: "The service is full (Retry-After says when to try again) or shutting down.",
    504: "The request's deadline passed.",
    507: "The runtime folder cannot be written to; the current version stays.",
}
BODY = f"The body may be compressed (Content-Encoding: {', '.join(ACCEPTED)})."
_STREAM = {"schema": {"type": "string", "format": "binary", "description": "An Arrow IPC stream; see docs/serving.md."}}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """A route's error responses, for FastAPI's ``responses``."""
    return {status: {"model": Problems, "description": PROBLEMS[status]} for status in statuses}


def document_of(app: FastAPI, served: Callable[[], Snapshot]) -> Callable[[], dict[str, Any]]:
    """Return the function that builds the document; it rebuilds it when the served snapshot changes."""
    plain = app.openapi
    cached: tuple[weakref.ref[Snapshot], dict[str, Any]] | None = None  # weak, to keep no old model alive

    def document() -> dict[str, Any]:
        nonlocal cached
        now = served()
        if cached is None or cached[0]() is not now:
            whole = plain()
            # Added afterwards, since FastAPI drops nulls, and examples need them for missing values.
            rank = whole["paths"]["/rank"]["post"]
            rank["requestBody"] = _body(now)
            content = rank["responses"]["200"]["content"]
            rank["responses"]["200"]["content"] = _answers(content[JSON])
            cached = (weakref.ref(now), whole)
        return cached[1]

    return document


def example(ranker: Ranker) -> dict[str, Any]:
    """An example request: the first candidates of the artifact's golden request."""
    golden = ranker.artifact.golden[0]
    candidates = {name: values[:EXAMPLE_CANDIDATES] for name, values in golden.candidates.items()}
    return {**({"context": golden.context} if golden.context else {}), "candidates": candidates}


def _body(served: Snapshot) -> dict[str, Any]:
    """The request body: the default model's schema, or one of several models' schemas, selected by ``model``."""
    default = served.rankers[served.default]
    others = {name: ranker for name, ranker in served.rankers.items() if name != served.default}
    schema = _schema(default, served.default, required=False)
    if others:
        schemas = [schema, *(_schema(ranker, name, required=True) for name, ranker in others.items())]
        examples = {
            served.default: {"value": example(default)},
            **{name: {"value": {**example(ranker), "model": name}} for name, ranker in others.items()},
        }
        content: dict[str, Any] = {"schema": {"oneOf": schemas}, "examples": examples}
    else:
        content = {"schema": schema, "example": example(default)}
    return {
        "description": BODY,
        "required": True,
        "content": {JSON: content, **{name: _STREAM for name in READERS if name != JSON}},
    }


def _schema(ranker: Ranker, name: str, required: bool) -> dict[str, Any]:
    """One model's request schema; ``required`` if the request must name the model."""
    schema = ranker.checker.model.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    named = inlined["properties"]["model"]
    if required:
        inlined["properties"]["model"] = {"const": name, "description": named["description"]}
        inlined["required"] = [*inlined["required"], "model"]
    else:
        named["anyOf"] = [{"const": name}, {"type": "null"}]
    return {**inlined, "title": f"Requests to {name}"}


def _answers(columns: dict[str, Any]) -> dict[str, Any]:
    """Schemas of a ranking by media type."""
    rows = RankingByRow.model_json_schema()
    return {JSON: columns, BY_ROW: {"schema": _inlined(rows, rows.pop("$defs"))}, ARROW: _STREAM}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Replace references by their definitions: the document does not define the request's models elsewhere."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
        return {key: _inlined(value, definitions) for key, value in node.items()}
    return [_inlined(item, definitions) for item in node] if isinstance(node, list) else node
