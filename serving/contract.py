"""What clients of an artifact rely on: the fields of a request with their types, what ids are, and the objectives."""

from typing import Any

from ranker.artifact import Artifact
from serving.checks import RequestChecker


def contract(artifact: Artifact) -> dict[str, Any]:
    """Types of a request's fields, as JSON Schema, and what an answer holds."""
    models = RequestChecker(artifact, max_candidates=1).model.model_json_schema()["$defs"]
    schema = artifact.schema
    fields = {
        f"{side}.{name}": {key: value for key, value in kind.items() if key != "title"}
        for side, model in (("context", "Context"), ("candidates", "CandidateColumns"))
        for name, kind in models[model]["properties"].items()
    }
    return {
        **fields,
        "ids": schema.candidate_id and schema.column(schema.candidate_id),
        "objectives": list(schema.tasks),
    }


def differences_of(old: Artifact, new: Artifact) -> list[str]:
    """Parts of the contract that differ, in the old one's order, and new ones after."""
    before, after = contract(old), contract(new)
    return [name for name in {**before, **after} if before.get(name, ...) != after.get(name, ...)]
