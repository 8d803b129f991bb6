"""The scorer used by every peer: this project's encoder, graph and fusion, so that only the service differs.

`ranker` is imported from the repository; the imported part needs no TensorFlow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import orjson

from ranker.artifact import Artifact, load
from ranker.encoding import Packed
from ranker.fusion import Candidates

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}


class Scorer:
    """An artifact's encoder and fusion, and a session of the exported graph with our settings."""

    def __init__(self, artifact: str, threads: int, split: bool = True, device: str = "cpu") -> None:
        self.artifact = load(Path(artifact))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
        if split:
            options.add_free_dimension_override_by_name("contexts", 1)
        model = str(self.artifact.model_path)
        if device == "cuda":
            onnxruntime.preload_dlls()
        self._session = onnxruntime.InferenceSession(model, options, providers=[PROVIDERS[device]])

    def encode(self, request: dict[str, Any]) -> Packed:
        """Encode one request to packed arrays."""
        context = {name: [value] for name, value in request["context"].items()}
        return self.artifact.encoder.encode(context, request["candidates"])

    def score(self, packed: Packed) -> Any:
        """Scores [N, T] of one context and N candidates."""
        return self._session.run(["scores"], packed._asdict())[0]

    def score_many(self, requests: Sequence[Packed]) -> list[Any]:
        """Scores of several requests in one run, with each context repeated for its candidates."""
        counts = [len(each.candidate_ids) for each in requests]
        repeated = [
            each._replace(
                context_ids=np.repeat(each.context_ids, count, axis=0),
                context_numbers=np.repeat(each.context_numbers, count, axis=0),
            )
            for each, count in zip(requests, counts, strict=True)
        ]
        columns = zip(Packed._fields, zip(*repeated, strict=True), strict=True)
        arrays = {name: np.concatenate(parts) for name, parts in columns}
        return np.split(self._session.run(["scores"], arrays)[0], np.cumsum(counts)[:-1])

    def rank(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer as arrays."""
        return answer_of(self.artifact, request, self.score(self.encode(request)))

    def as_json(self, request: dict[str, Any]) -> bytes:
        """The answer as JSON, written by orjson from arrays."""
        return orjson.dumps(self.rank(request), option=orjson.OPT_SERIALIZE_NUMPY)

    def all_as_json(self, requests: Sequence[dict[str, Any]]) -> list[bytes]:
        """The answers of requests that are scored in one run, as JSON."""
        scored = self.score_many([self.encode(request) for request in requests])
        answers = (answer_of(self.artifact, *pair) for pair in zip(requests, scored, strict=True))
        return [orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY) for answer in answers]


def answer_of(artifact: Artifact, request: dict[str, Any], scores: Any) -> dict[str, Any]:
    """Our answer without the fusion's name: ids, fused scores and scores by objective, best first."""
    plan = artifact.fusion
    ranked = plan.rank(Candidates.of(plan.objectives, scores))
    order = ranked.order(None)
    if artifact.schema.candidate_id is None:
        raise ValueError("the artifact's schema names no candidate_id")
    ids = request["candidates"][artifact.schema.column(artifact.schema.candidate_id)]
    by_objective = ranked.scores[order].astype(np.float32)
    return {
        "model_version": artifact.manifest.version,
        "ids": [ids[i] for i in order.tolist()],
        "fused": ranked.fused[order],
        "scores": {name: np.ascontiguousarray(by_objective[:, i]) for i, name in enumerate(plan.objectives)},
    }


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as lists, for frameworks that serialise it themselves."""
    scores = {name: values.tolist() for name, values in answer["scores"].items()}
    return {**answer, "fused": answer["fused"].tolist(), "scores": scores}
