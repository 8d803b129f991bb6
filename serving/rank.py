"""Request -> scores -> fusion -> answer, with no HTTP in it."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact, ArtifactError, difference, load
from ranker.encoding import ColumnError, Packed
from ranker.fusion import Candidates, FusionError, Plan, Ranked
from serving.messages import FusionChoice, RankRequest, RequestError, RequestParser
from serving.runtime import ENGINES, Engine
from serving.settings import Settings
from serving.watch import Watch

CUDA_TOLERANCE = 1e-3


class Ranker:
    """An artifact behind an engine that gave its golden requests their scores."""

    def __init__(self, artifact: Artifact, engine: Engine, max_candidates: int, tolerance: float = TOLERANCE) -> None:
        self.artifact = artifact
        self.parser = RequestParser(artifact, max_candidates)
        self._engine = engine
        self._replay(tolerance)

    @classmethod
    def load(cls, settings: Settings) -> "Ranker":
        """Load what the settings name. Raises ``ArtifactError`` or ``EngineError``."""
        return cls.of(load(settings.artifact), settings)

    @classmethod
    def of(cls, artifact: Artifact, settings: Settings) -> "Ranker":
        """Put a loaded artifact behind its engine. Raises ``ArtifactError`` or ``EngineError``."""
        engine = ENGINES["onnxruntime"](artifact.model_path, settings.device, settings.threads)
        tolerance = CUDA_TOLERANCE if settings.device == "cuda" else TOLERANCE
        return cls(artifact, engine, settings.max_candidates, tolerance)

    def answer(self, body: bytes, watch: Watch | None = None) -> bytes:
        """A request's body to the answer's. Raises ``RequestError``, and ``DeadlineError`` between stages."""
        watch = watch or Watch()
        request = self.parser.parse(body)
        plan = self._plan(request.fusion)
        watch.lap("parse")
        watch.packed = self._encoded(request)
        watch.lap("encode")
        watch.scores = scores = self._engine.score(watch.packed)
        watch.lap("score")
        self._require_finite(scores)
        ranked = self._ranked(plan, scores, request)
        order = ranked.order(request.top_k)
        watch.lap("fuse")
        calibrated = ranked.scores[order].astype(np.float32)
        answer = {
            "model_version": self.artifact.manifest.version,
            "fusion": plan.fusion.to_dict(),
            "ids": self._ids(request, order),
            "fused": ranked.fused[order],
            "scores": {task: np.ascontiguousarray(calibrated[:, i]) for i, task in enumerate(plan.objectives)},
        }
        written = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        watch.lap("respond")
        return written

    def _encoded(self, request: RankRequest) -> Packed:
        try:
            return self.artifact.encoder.encode(request.context, request.candidates)
        except ColumnError as error:
            side = "candidates" if error.column in request.candidates else "context"
            row = f".{error.row}" if side == "candidates" else ""
            reason = f"must be {error.expected}, got {error.value!r}"
            raise RequestError([(f"{side}.{error.column}{row}", reason)]) from None

    def _require_finite(self, scores: NDArray[np.float32]) -> None:
        """Refuse candidates whose inputs are so large that the model overflows."""
        finite = np.isfinite(scores)
        if not finite.all():
            tasks = self.artifact.manifest.tasks
            reason = "has values so large that the model gives no finite score for {}"
            raise RequestError(
                (f"candidates.{row}", reason.format(", ".join(tasks[i] for i in np.flatnonzero(~finite[row]))))
                for row in np.flatnonzero(~finite.all(axis=1)).tolist()
            )

    def _ranked(self, plan: Plan, scores: NDArray[np.float32], request: RankRequest) -> Ranked:
        """Scores through all steps, with the raw values of the features that the fusion reads."""
        schema = self.artifact.schema
        features = {
            name: np.array(
                request.context[schema.column(name)][0]
                if name in schema.context
                else request.candidates[schema.column(name)],
                dtype=object,
            )
            for name in plan.features
        }
        try:
            return plan.rank(Candidates.of(plan.objectives, scores, features=features))
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None

    def _plan(self, choice: FusionChoice | None) -> Plan:
        default = self.artifact.fusion
        if choice is None:
            return default
        try:
            if choice.name is None or choice.name == default.fusion.name:
                return default.replaced(choice.parameters)
            if choice.name in self.artifact.fusions:
                return self.artifact.fusions[choice.name].replaced(choice.parameters)
            return default.with_formula(choice.name, choice.parameters)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None

    def _ids(self, request: RankRequest, ranked: NDArray[np.int64]) -> Any:
        name = self.artifact.schema.candidate_id
        if name is None:
            return ranked
        ids = request.candidates[self.artifact.schema.column(name)]
        return [ids[i] for i in ranked.tolist()]

    def _replay(self, tolerance: float) -> None:
        """Refuse an artifact whose golden requests get other scores here than from the model that was trained."""
        tasks = self.artifact.manifest.tasks
        if not self.artifact.golden:
            raise ArtifactError(f"{self.artifact.folder}: holds no golden request to check the scores with")
        for number, golden in enumerate(self.artifact.golden):
            context = {name: [value] for name, value in golden.context.items()}
            got = self._engine.score(self._encoded(RankRequest(context, golden.candidates, None, None)))
            for i, task in enumerate(tasks):
                expected = np.array(golden.scores[task])
                worst = difference(got[:, i], expected) if len(expected) == len(got) else np.inf
                if not worst <= tolerance:
                    raise ArtifactError(
                        f"{self.artifact.folder}: golden request {number}, task {task!r}: scores differ by {worst:.2e} "
                        f"from those the model was exported with, more than {tolerance:.0e}; it is not served"
                    )
