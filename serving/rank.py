"""Request -> scores -> fusion -> answer, with no HTTP in it."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact, ArtifactError, difference, load
from ranker.encoding import ColumnError, Packed
from ranker.fusion import DEFAULT, FUSIONS, Candidates, FusionError, Plan, explain
from ranker.fusion.checks import require_known
from serving.messages import FusionChoice, RankRequest, RequestError, RequestParser
from serving.runtime import Engine, engine_of
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
        engine = engine_of(settings.engine, artifact.model_path, settings.device, settings.threads)
        tolerance = CUDA_TOLERANCE if settings.device == "cuda" else TOLERANCE
        return cls(artifact, engine, settings.max_candidates, tolerance)

    def answer(self, body: bytes, watch: Watch | None = None) -> bytes:
        """A request's body to the answer's. Raises ``RequestError``, and ``DeadlineError`` between stages."""
        watch = watch or Watch()
        request = self.parser.parse(body)
        name, plan = self._plan(request.fusion)
        watch.lap("parse")
        watch.packed = self._encoded(request)
        watch.lap("encode")
        watch.scores = scores = self._engine.score(watch.packed)
        watch.lap("score")
        self._require_finite(scores)
        candidates = self._candidates(plan, scores, request)
        try:
            ranked = plan.rank(candidates)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None
        order = ranked.order(request.top_k)
        watch.lap("fuse")
        calibrated = ranked.scores[order].astype(np.float32)
        answer = {
            "model_version": self.artifact.manifest.version,
            "fusion": {"name": name, "formula": plan.fusion.name, "parameters": plan.fusion.values},
            "ids": self._ids(request, order),
            "fused": ranked.fused[order],
            "scores": _by_objective(plan, calibrated),
        }
        if request.explain:
            shown = order if request.explain is True else order[: request.explain]
            picked = {rule: mask[shown] for rule, mask in ranked.picked.items()}
            answer["explanations"] = {**_explained(plan, candidates, shown), "rules": picked}
        written = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
        watch.lap("respond")
        return written

    def choices(self) -> dict[str, Plan]:
        """What a request may name: the artifact's fusions, and the formulas that need no more than parameters."""
        formulas = (name for name, formula in FUSIONS.items() if formula.stands_alone())
        return {name: self._named(name) for name in dict.fromkeys([*self.artifact.fusions, *formulas])}

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

    def _candidates(self, plan: Plan, scores: NDArray[np.float32], request: RankRequest) -> Candidates:
        """Scores, with the raw values of the features that the fusion reads."""
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
        return Candidates.of(plan.objectives, scores, features=features)

    def _plan(self, choice: FusionChoice | None) -> tuple[str, Plan]:
        """What is asked for, and the name that a request has for it."""
        if choice is None:
            return DEFAULT, self.artifact.fusion
        name = choice.name or DEFAULT
        try:
            return name, self._named(name).replaced(choice.parameters)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None

    def _named(self, name: str) -> Plan:
        """A fusion of the artifact, or a formula within the steps of the default one. Raises ``FusionError``."""
        default = self.artifact.fusion
        if name in self.artifact.fusions:
            return self.artifact.fusions[name]
        if name == default.fusion.name:  # its formula, with the parameters of the config
            return default
        if name not in FUSIONS:
            require_known(name, list(self.choices()), f"no fusion is named {name!r}")
        return default.with_formula(name, {})

    def _ids(self, request: RankRequest, ranked: NDArray[np.int64]) -> Any:
        name = self.artifact.schema.candidate_id
        if name is None:
            return ranked
        ids = request.candidates[self.artifact.schema.column(name)]
        if isinstance(ids, np.ndarray):
            return ids[ranked]
        return [ids[i] for i in ranked.tolist()]  # type: ignore[index]

    def _replay(self, tolerance: float) -> None:
        """Refuse an artifact whose golden requests get other scores here than from the model that was trained."""
        tasks = self.artifact.manifest.tasks
        if not self.artifact.golden:
            raise ArtifactError(f"{self.artifact.folder}: holds no golden request to check the scores with")
        for number, golden in enumerate(self.artifact.golden):
            context = {name: [value] for name, value in golden.context.items()}
            got = self._engine.score(self._encoded(RankRequest(context, golden.candidates)))
            for i, task in enumerate(tasks):
                expected = np.array(golden.scores[task])
                worst = difference(got[:, i], expected) if len(expected) == len(got) else np.inf
                if not worst <= tolerance:
                    raise ArtifactError(
                        f"{self.artifact.folder}: golden request {number}, task {task!r}: scores differ by {worst:.2e} "
                        f"from those the model was exported with, more than {tolerance:.0e}; it is not served"
                    )


def _by_objective(plan: Plan, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(plan.objectives)}


def _explained(plan: Plan, candidates: Candidates, shown: NDArray[np.intp]) -> dict[str, Any]:
    """Explanations of the candidates ``shown``, by their positions in the request."""
    told = explain(plan, candidates)
    return {
        "baseline": told.baseline[shown],
        "contributions": _by_objective(plan, told.contributions[shown]),
        "rank_without": _by_objective(plan, told.rank_without[shown]),
    }
