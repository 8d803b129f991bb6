"""The student of an artifact: a small model that scores all candidates, so that the full model scores only the best.

``ranker-train distill`` trains it on the full model's scores, measures how far rankings in two stages agree with those
of the full model, and stores both: ``student.onnx`` and ``student.json``.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from ranker.config.closed import Closed

TOP = 10
"""Length of the rankings that agreement is measured on."""


class Point(Closed):
    """Agreement with the full ranking if a share of the candidates is scored by the full model; means over lists."""

    share: float = Field(description="Share to keep, before the least number of candidates.")
    kept: float = Field(description="Share that the full model scored.")
    ndcg: float | None = Field(
        description="NDCG@10, as ranker.metrics.ranking_agreement defines it; null if undefined."
    )
    recall: float = Field(description="Share of the full ranking's top 10 that is in the top 10.")
    regret: float = Field(description="Loss of the full model's mean fused score in the top 10.")
    cost: float | None = Field(None, description="Time of both stages over the full model's alone, where measured.")


class Agreement(Closed):
    """Agreement by share kept, on lists of one origin."""

    lists: Literal["sampled", "logged"] = Field(
        description="sampled: a held-out row's context with candidates of other held-out rows, as many as in requests, "
        "and the least number kept as in serving. logged: groups of held-out rows, of which the plain share is kept."
    )
    count: int = Field(description="Number of lists.")
    candidates: float = Field(description="Mean number of candidates of a list.")
    points: tuple[Point, ...] = Field(description="By share, ascending.")

    def at(self, share: float) -> Point:
        """The point of a share."""
        return next(point for point in self.points if point.share == share)


class FusionAgreement(Closed):
    """Agreement at the default share for one of the artifact's fusions, on sampled lists."""

    fusion: str = Field(description="SHA-256 of the fusion as stored when it was measured.")
    ndcg: float | None = Field(description="NDCG@10; null if undefined.")


class Student(Closed):
    """Content of ``student.json``."""

    created: datetime
    keep: float = Field(gt=0, le=1, description="Share of the candidates that the full model scores by default.")
    min_ndcg: float = Field(description="Bound on NDCG@10 below which rankings do not agree.")
    fusions: dict[str, FusionAgreement] = Field(description="By name of the artifact's fusion.")
    agreement: tuple[Agreement, ...] = Field(description="For the default fusion.")
    golden: tuple[dict[str, list[float]], ...] = Field(
        description="The student's scores by task of each golden request, in candidate order."
    )
    config: dict[str, Any] = Field(description="Options that the student was trained with.")

    def doubt(self, fusion: str) -> str | None:
        """Reason not to rank in two stages by default with a measured fusion of this name; ``None`` if rankings agree.

        NDCG is near 1 whatever the student has learnt if the full model scored nearly all candidates of the lists, so
        it counts only if that was at most twice the share ``keep``, and at least half of the rest was left out.
        """
        found = self.fusions[fusion].ndcg
        if found is not None and found < self.min_ndcg:
            return f"NDCG@10 with fusion {fusion!r} is {found:.5f}, below {self.min_ndcg:g}"
        for each in self.agreement:
            share = next((point.kept for point in each.points if point.share == self.keep), 0.0)
            if each.lists == "sampled" and share > min(2 * self.keep, (1 + self.keep) / 2):
                return (
                    f"NDCG@10 says little: of the {each.candidates:.0f} candidates of a sampled list the full model "
                    f"scored {share:.0%}, where {self.keep:.0%} are to be kept; distil with more candidates, of a log "
                    "with more ids among the rows held out"
                )
        if found is None:
            return (
                f"NDCG@10 with fusion {fusion!r} is undefined: no list was longer than the full model keeps, or the "
                "scores are equal in every list"
            )
        return None
