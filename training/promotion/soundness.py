"""Reasons not to promote a version whatever its bounds: its scores are of no use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from training.promotion.rows import PairedRows, Version

Cause: TypeAlias = Literal["not_finite", "not_probabilities", "constant", "reversed", "undecided"]


@dataclass(frozen=True)
class Reason:
    """Why a version is refused, besides its bounds: a name, the objective if it is about one, and a sentence."""

    cause: Cause
    objective: str | None
    text: str

    def __str__(self) -> str:
        return self.text


def unsound(version: Version) -> list[Reason]:
    """Objectives whose scores are not finite, not probabilities where they must be, or the same for all rows."""
    found = []
    for i, name in enumerate(version.artifact.manifest.tasks):
        task, scores = version.artifact.schema.tasks[name], version.scores[:, i]
        rows = len(scores)
        if bad := int((~np.isfinite(scores)).sum()):
            found.append(Reason("not_finite", name, f"{name}: scores of {bad:,} of {rows:,} rows are not finite"))
        elif task.probability and (bad := int(((scores < 0) | (scores > 1)).sum())):
            text = f"{name}: scores of {bad:,} of {rows:,} rows are not probabilities in [0, 1]"
            found.append(Reason("not_probabilities", name, text))
        elif rows > 1 and scores.min() == scores.max():
            found.append(Reason("constant", name, f"{name}: all {rows:,} rows have the score {scores[0]:.6g}"))
    return found


def comparable(rows: PairedRows, reasons: Sequence[Reason]) -> list[str]:
    """Shared objectives whose scores can be measured in both versions; ``reasons`` are those of either."""
    broken = {reason.objective for reason in reasons if reason.cause != "constant"}
    return [name for name in rows.tasks if name not in broken]


def rankable(reasons: Sequence[Reason]) -> bool:
    """Whether a version's scores can be fused."""
    return all(reason.cause != "not_finite" for reason in reasons)
