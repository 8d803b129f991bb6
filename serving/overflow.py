"""Values that a model of 32 bits has no room for: refused before it reads them, or where it gives no score."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Packed
from ranker.encoding.layout import SideLayout
from serving.messages import RequestError

LARGEST = 1e12
"""Products of a few larger inputs overflow, and engines differ in whether they tell. Only features that are not
standardised can be so large: these are read as they come."""


def require_moderate(artifact: Artifact, packed: Packed) -> None:
    """Raise ``RequestError`` for every value beyond :data:`LARGEST`."""
    layout = artifact.encoder.layout
    problems = [
        *_too_large(artifact, "context", layout.context, packed.context_numbers),
        *_too_large(artifact, "candidates", layout.candidate, packed.candidate_numbers),
    ]
    if problems:
        raise RequestError(problems)


def require_finite(artifact: Artifact, scores: NDArray[np.float32]) -> None:
    """Raise ``RequestError`` for every candidate with a score [N, T] that is no number."""
    finite = np.isfinite(scores)
    if not finite.all():
        tasks = artifact.manifest.tasks
        reason = "has values so large that the model gives no finite score for {}"
        raise RequestError(
            (f"candidates.{row}", reason.format(", ".join(tasks[i] for i in np.flatnonzero(~finite[row]))))
            for row in np.flatnonzero(~finite.all(axis=1)).tolist()
        )


def _too_large(
    artifact: Artifact, side: str, layout: SideLayout, numbers: NDArray[np.float32]
) -> Iterator[tuple[str, str]]:
    if not numbers.size or (numbers.max() <= LARGEST and numbers.min() >= -LARGEST):
        return
    features = artifact.schema.features
    for field in (field for field in layout.numbers if field.feature in features):
        values = numbers[:, field.start : field.start + field.length]
        for row in np.flatnonzero((np.abs(values) > LARGEST).any(axis=1)).tolist():
            where = f"{side}.{artifact.schema.column(field.feature)}" + (f".{row}" if side == "candidates" else "")
            worst = values[row, np.abs(values[row]).argmax()]
            yield where, f"must be of at most {LARGEST:g} in size, got {worst:g}"
