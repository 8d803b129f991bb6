"""Whether two artifacts are the same to clients (fields with types, id column, objectives), or in every file."""

import hashlib
from typing import Any

import orjson

from ranker.artifact import Artifact
from serving.protocol.validation import RequestChecker

REQUIRED = "required"


def contract(artifact: Artifact) -> dict[str, Any]:
    """The parts of an artifact's API that clients rely on: JSON Schema of each request field, ids, objectives."""
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


def digest_of(artifact: Artifact) -> str:
    """Digest of all files of an artifact."""
    return hashlib.blake2b(orjson.dumps(sorted(artifact.manifest.files.items())), digest_size=16).hexdigest()


def differences_of(old: Artifact, new: Artifact) -> list[str]:
    """Names of the contract's parts whose change breaks clients, in the old contract's order, then new ones.

    A new optional field breaks no client, nor does a required field that becomes optional.
    """
    before, after = contract(old), contract(new)
    return [name for name in {**before, **after} if not _accepts(before.get(name, ...), after.get(name, ...))]


def _accepts(old: Any, new: Any) -> bool:
    if isinstance(new, dict) and not new[REQUIRED]:
        return old is ... or new == {**old, REQUIRED: False}
    return bool(old == new)
