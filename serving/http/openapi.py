"""The OpenAPI document: requests as the served models take them, with examples that work as they stand."""

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
    401: "No API key, or one that is not known.",
    404: "There is no such model or version.",
    406: "No format that Accept allows; lists those there are.",
    408: "The body came too slowly, or was the slowest of too many.",
    409: "The version is refused, or there is none to go back to; the one that is served goes on.",
    413: "The body is too large, as it comes or unpacked.",
    415: "Not a format or Content-Encoding that requests come in; lists those there are.",
    422: "What is wrong with the request, field by field.",
    500: "The service failed; its log says why, under the request id of the answer.",
    503: "The service holds as many requests as it may (Retry-After says when to try again), or is about to end.",
    504: "The deadline passed.",
    507: "The runtime folder cannot be written to; what is served goes on.",
}
BODY = f"May be compressed: Content-Encoding {', '.join(ACCEPTED)}."
_STREAM = {"schema": {"type": "string", "format": "binary", "description": "An Arrow IPC stream; see docs/serving.md."}}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers besides its own answer, as FastAPI's ``responses``."""
    return {status: {"model": Problems, "description": PROBLEMS[status]} for status in statuses}


def document_of(app: FastAPI, served: Callable[[], Snapshot]) -> Callable[[], dict[str, Any]]:
    """What makes the document; it is made anew when something else is served."""
    plain = app.openapi
    made: tuple[weakref.ref[Snapshot], dict[str, Any]] | None = None  # the document keeps no old model alive

    def document() -> dict[str, Any]:
        nonlocal made
        now = served()
        if made is None or made[0]() is not now:
            whole = plain()
            # FastAPI would drop the examples' nulls, which stand for missing values, so they are put in afterwards.
            rank = whole["paths"]["/rank"]["post"]
            rank["requestBody"] = _body(now)
            content = rank["responses"]["200"]["content"]
            rank["responses"]["200"]["content"] = _answers(content[JSON])
            made = (weakref.ref(now), whole)
        return made[1]

    return document


def example(ranker: Ranker) -> dict[str, Any]:
    """A request that works as it stands: the artifact's own golden one, cut short."""
    golden = ranker.artifact.golden[0]
    candidates = {name: values[:EXAMPLE_CANDIDATES] for name, values in golden.candidates.items()}
    return {**({"context": golden.context} if golden.context else {}), "candidates": candidates}


def _body(served: Snapshot) -> dict[str, Any]:
    """The default model's requests; with others beside it, one of several, told apart by ``model``."""
    default = served.rankers[served.default]
    others = {name: ranker for name, ranker in served.rankers.items() if name != served.default}
    schema = _schema(default, served.default, required=False)
    if others:
        schemas = [schema, *(_schema(ranker, name, required=True) for name, ranker in others.items())]
        examples = {
            served.default: {"value": example(default)},
            **{name: {"value": {**example(ranker), "model": name}} for name, ranker in others.items()},
        }
        told: dict[str, Any] = {"schema": {"oneOf": schemas}, "examples": examples}
    else:
        told = {"schema": schema, "example": example(default)}
    return {
        "description": BODY,
        "required": True,
        "content": {JSON: told, **{name: _STREAM for name in READERS if name != JSON}},
    }


def _schema(ranker: Ranker, name: str, required: bool) -> dict[str, Any]:
    """What one model takes. ``required``: only where the request names it."""
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
    """What a ranking may come in, by what ``Accept`` may ask for."""
    rows = RankingByRow.model_json_schema()
    return {JSON: columns, BY_ROW: {"schema": _inlined(rows, rows.pop("$defs"))}, ARROW: _STREAM}


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """Replace references by what they refer to: the request's models are in no other part of the document."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions)
        return {key: _inlined(value, definitions) for key, value in node.items()}
    return [_inlined(item, definitions) for item in node] if isinstance(node, list) else node
