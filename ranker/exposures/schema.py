"""Arrow schema of one model's exposure log, from its artifact."""

from collections.abc import Iterable
from typing import Any

import orjson
import pyarrow as pa

from ranker.artifact import Artifact
from ranker.encoding.kinds.base import RequestType
from ranker.exposures.columns import CANDIDATE, CONTEXT, FORMAT, ITEM, METADATA, RAW, REQUEST, ROW, SCORE, WORD
from ranker.registry import require_known
from ranker.schema import Schema

TYPES = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "unsigned": pa.uint64(),
    "string": pa.string(),
    "any": pa.string(),
}
"""Arrow type by the value type of a request's column; ids of a feature that had none in training are text."""
TIME = pa.timestamp("us")
"""Type of columns that held times in training."""


def log_schema(
    artifact: Artifact, context: Iterable[str] = (), candidate: Iterable[str] = (), *, hashed: bool = False
) -> Any:
    """Arrow schema of the log of a model, with some columns of its requests, by the schema's column names.

    Raises ``ValueError`` for a column that requests do not have.
    """
    schema = artifact.schema
    calibrated = {objective for plan in artifact.fusions.values() for objective in plan.options.calibration}
    fields = {
        **REQUEST,
        ITEM: item_type(artifact),
        **ROW,
        **{f"{SCORE}{objective}": pa.float32() for objective in schema.tasks},
        **{f"{RAW}{objective}": pa.float32() for objective in schema.tasks if objective in calibrated},
        **_features(artifact, "context", CONTEXT, context),
        **_features(artifact, "candidate", CANDIDATE, candidate),
    }
    return pa.schema(fields, metadata=metadata(hashed=hashed))


def stream_schema(schema: Any) -> Any:
    """Schema of the streams of a log: all text that is equal in the rows of a request is stored once."""
    fields = [
        field.with_type(WORD) if field.name in REQUEST and pa.types.is_string(field.type) else field for field in schema
    ]
    return pa.schema(fields, schema.metadata)


def metadata(*, hashed: bool = False) -> dict[bytes, bytes]:
    """Metadata of the log's files, with ``hashed``: whether units are hashed."""
    return {METADATA: orjson.dumps({"format": FORMAT, "hashed": hashed})}


def item_type(artifact: Artifact) -> Any:
    """Arrow type of item ids; that of positions if candidates have no id."""
    feature = artifact.schema.candidate_id
    return pa.int64() if feature is None else TYPES[artifact.encoder.encodings[feature].request_type.value]


def columns_of(schema: Schema, side: str) -> list[str]:
    """Distinct request columns of a side, ``context`` or ``candidate``."""
    return list(dict.fromkeys(map(schema.column, getattr(schema, side))))


def _features(artifact: Artifact, side: str, prefix: str, columns: Iterable[str]) -> dict[str, Any]:
    schema, encoder = artifact.schema, artifact.encoder
    features = {schema.column(name): name for name in getattr(schema, side)}
    types = {}
    for column in columns:
        require_known(column, features, "features of the exposure log", f"a {side} column")
        name = features[column]
        types[f"{prefix}{column}"] = _arrow(encoder.encodings[name].request_type, name in encoder.temporal)
    return types


def _arrow(request: RequestType, temporal: bool) -> Any:
    value = TIME if temporal and request.times else TYPES[request.value]
    return pa.list_(value) if request.listed else value
