"""What clients of an artifact rely on: the fields of a request with their types, what ids are, and the objectives."""

from typing import Any

from ranker.artifact import Artifact
from serving.protocol.validation import RequestChecker

REQUIRED = "required"


def contract(artifact: Artifact) -> dict[str, Any]:
    """Types of a request's fields, as JSON Schema, whether each is required, and what an answer holds."""
    models = RequestChecker(artifact, max_candidates=1).model.model_json_schema()["$defs"]
    schema = artifact.schema
    fields = {
        f"{side}.{name}": {
            **{key: value for key, value in kind.items() if key != "title"},
            REQUIRED: name in models[model].get("required", []),
        }
        for side, model in (("context", "Context"), ("candidates", "CandidateColumns"))
        for name, kind in models[model]["properties"].items()
    }
    return {
        **fields,
        "ids": schema.candidate_id and schema.column(schema.candidate_id),
        "objectives": list(schema.tasks),
    }


def differences_of(old: Artifact, new: Artifact) -> list[str]:
    """Parts of the contract whose change breaks a client, in the old one's order, and new ones after.

    A field that is new and may be left out breaks none, nor does one that was required and may now be left out.
    """
    before, after = contract(old), contract(new)
    return [name for name in {**before, **after} if not _accepts(before.get(name, ...), after.get(name, ...))]


def _accepts(old: Any, new: Any) -> bool:
    if isinstance(new, dict) and not new[REQUIRED]:
        return old is ... or new == {**old, REQUIRED: False}
    return bool(old == new)
