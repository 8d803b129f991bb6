"""Ranks in two stages: a student scores all candidates, the full model those that the student ranks best.

1. The student's scores of all N candidates are fused with the request's own plan, and the best K are kept.
2. The full model scores these. The plan then runs once on all N candidates, with the full model's scores of the kept
   ones and the student's of the rest, so that ranks, minima and medians within the request are still over the whole
   request. Kept candidates rank by their fused scores, the rest behind them by theirs.

A floor that ranks candidates last holds for both parts: they follow the rest. One that drops candidates applies to the
scores that a candidate has: the student's, if it is not kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact
from ranker.encoding import Packed
from ranker.engines import DEFAULTS, Engine, EngineOptions, engine_of
from ranker.fusion import DEFAULT, Candidates, FusionError, Plan
from ranker.inference.ranking import ScoredBy
from ranker.inference.replay import replay

LEAST = 50
"""Fewest candidates that the full model scores; requests with no more are not ranked in two stages."""
SIZES = (50, 75, 125, 150, 250)
"""Frequent numbers of candidates that are kept, besides those that engines specialise their graph for anyway."""
PER_PLACE = 4
"""Fewest candidates that the full model scores for each place of the answer."""
Scores: TypeAlias = NDArray[np.float32]
Asked: TypeAlias = bool | float | None
"""Whether to rank in two stages: a share to keep, ``True`` for the artifact's, ``None`` if its rankings agree."""


def kept(candidates: int, share: float, top_k: int | None = None, least: int = LEAST) -> int:
    """Number of candidates that the full model scores: ``share`` of them, at least ``least`` and 4 for each place."""
    return min(candidates, max(ceil(share * candidates), least, PER_PLACE * (top_k or 0)))


def chosen(plan: Plan, candidates: Candidates, count: int) -> NDArray[np.intp]:
    """Ascending positions [K] of the ``count`` candidates that rank best by the student's scores.

    Candidates that a floor drops come after those that it ranks last, since the full model may score them above it.
    Raises ``FusionError`` as ``Plan.rank``.
    """
    ranked = plan.without_reranking.rank(candidates)
    undropped = replace(ranked, last=ranked.dropped, behind=ranked.last, dropped=np.zeros_like(ranked.dropped))
    return np.sort(undropped.order(count))


class Quota(NamedTuple):
    """What the full model scores of a request: the share to keep, and the number of candidates K that it comes to."""

    share: float
    kept: int


class Sifted(NamedTuple):
    """Result of the first stage.

    Attributes
    ----------
    scores
        The student's scores [N, T].
    features
        Raw values of the features that the plan reads, as in ``Candidates``.
    chosen
        Ascending positions [K] of the candidates that the full model scores.
    share
        The share to keep that K results from.
    """

    scores: Scores
    features: Mapping[str, NDArray[Any]]
    chosen: NDArray[np.intp]
    share: float

    def packed(self, packed: Packed) -> Packed:
        """The chosen candidates' rows of a packed batch with one context row."""
        return packed.with_candidates(self.chosen)

    def joined(self, full: Scores) -> Scores:
        """Scores [N, T]: the full model's [K, T] for the chosen candidates, the student's for the rest."""
        scores = self.scores.copy()
        scores[self.chosen] = full
        return scores

    def candidates(self, plan: Plan, joined: Scores) -> Candidates:
        """Input of the plan for joined scores [N, T]; those of the student rank behind. Raises ``FusionError``."""
        return Candidates.of(plan.objectives, joined, features=self.features, behind=self.behind)

    def facts(self) -> dict[str, Any]:
        """The share to keep, and the number of candidates with scores of each model."""
        return {"keep": self.share, "full": len(self.chosen), "student": len(self.scores) - len(self.chosen)}

    @property
    def behind(self) -> NDArray[np.bool_]:
        """Mask [N] of the candidates that only the student scores."""
        behind = np.ones(len(self.scores), dtype=bool)
        behind[self.chosen] = False
        return behind

    def scored_by(self, positions: NDArray[np.intp]) -> list[ScoredBy]:
        """The model that scored each of some candidates."""
        return ["student" if only else "full" for only in self.behind[positions].tolist()]


class Cascade:
    """The student of an artifact in an engine, which has reproduced its golden scores."""

    def __init__(self, artifact: Artifact, engine: Engine, tolerance: float = TOLERANCE) -> None:
        """Raise ``ArtifactError`` if the student's golden scores differ by more than ``tolerance``."""
        assert artifact.student is not None, "the artifact has a student"
        self.engine, self.student = engine, artifact.student
        self._doubts: Mapping[str, str | None] = {name: artifact.student_doubt(name) for name in artifact.fusions}
        replay(artifact, engine, tolerance, artifact.student.golden, "the student's ")

    def doubt(self, fusion: str = DEFAULT) -> str | None:
        """Reason not to use it by default with a fusion of this name; ``None`` if rankings agree."""
        return self._doubts[fusion if fusion in self._doubts else DEFAULT]

    def quota(self, candidates: int, top_k: int | None, share: float | None = None) -> Quota | None:
        """What the full model scores of N candidates; ``None`` if it scores all anyway. ``share``: if not its own."""
        share = self.student.keep if share is None else share
        count = kept(candidates, share, top_k)
        return Quota(share, count) if count < candidates else None

    def sift(
        self, plan: Plan, packed: Packed, candidates: Callable[[Scores], Candidates], quota: Quota
    ) -> Sifted | None:
        """Score a request by the student, and choose the candidates that the full model scores.

        ``candidates`` adds the features that the plan reads to scores [N, T]. ``None`` if values are so unusual that
        the student's scores are not finite or cannot be fused: the full model then scores all candidates.
        """
        scores = self.engine.score(packed)
        if not np.isfinite(scores).all():
            return None
        try:
            by_student = candidates(scores)
            return Sifted(scores, by_student.features, chosen(plan, by_student, quota.kept), quota.share)
        except FusionError:
            return None


def student_engine(artifact: Artifact, name: str, options: EngineOptions) -> Engine | None:
    """Load the student's graph into a named engine; ``None`` if the artifact has no student. Raises ``EngineError``.

    It runs in this process, on the CPU and in float32: it is small, and a copy to a device costs more than its
    operations.
    """
    if artifact.student is None:
        return None
    reads_onnx = name in ("auto", *DEFAULTS["cpu"])  # TensorFlow reads a SavedModel, and a student has none
    of_student = name if options.device == "cpu" and reads_onnx else "auto"
    return engine_of(of_student, artifact.student_path, EngineOptions("cpu", options.threads, streams=options.streams))


def sized(options: EngineOptions, student: Engine | None) -> EngineOptions:
    """Options of the full model's engine, with the numbers of candidates that a student leaves to it."""
    return options if student is None else options._replace(sizes=(*options.sizes, *SIZES))
