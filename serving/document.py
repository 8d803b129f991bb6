"""The OpenAPI document: requests as the served artifact takes them, with an example that works as it stands."""

import weakref
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from serving.formats import ARROW, BY_ROW, JSON, READERS
from serving.messages import RankingByRow
from serving.rank import Ranker

EXAMPLE_CANDIDATES = 3
_STREAM = {"schema": {"type": "string", "format": "binary", "description": "An Arrow IPC stream; see docs/serving.md."}}


def document_of(app: FastAPI, served: Callable[[], Ranker]) -> Callable[[], dict[str, Any]]:
    """What makes the document; it is made anew when another artifact is served."""
    plain = app.openapi
    made: tuple[weakref.ref[Ranker], dict[str, Any]] | None = None  # the document keeps no old model alive

    def document() -> dict[str, Any]:
        nonlocal made
        ranker = served()
        if made is None or made[0]() is not ranker:
            whole = plain()
            # FastAPI would drop the example's nulls, which stand for missing values, so it is put in afterwards.
            rank = whole["paths"]["/rank"]["post"]
            rank["requestBody"] = _body(ranker)
            content = rank["responses"]["200"]["content"]
            rank["responses"]["200"]["content"] = _answers(content[JSON])
            made = (weakref.ref(ranker), whole)
        return made[1]

    return document


def example(ranker: Ranker) -> dict[str, Any]:
    """A request that works as it stands: the artifact's own golden one, cut short."""
    golden = ranker.artifact.golden[0]
    candidates = {name: values[:EXAMPLE_CANDIDATES] for name, values in golden.candidates.items()}
    return {**({"context": golden.context} if golden.context else {}), "candidates": candidates}


def _body(ranker: Ranker) -> dict[str, Any]:
    schema = ranker.checker.model.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined = _inlined(schema, schema.pop("$defs", {}))
    content: dict[str, Any] = {JSON: {"schema": inlined, "example": example(ranker)}}
    return {"required": True, "content": content | {name: _STREAM for name in READERS if name != JSON}}


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
