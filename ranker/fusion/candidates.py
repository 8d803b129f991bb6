"""Input of a fusion: scores, features by name, and the request of each candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.requests import Requests


@dataclass(frozen=True, eq=False)
class Candidates:
    """The N candidates of one or more requests; created and checked by ``Candidates.of``.

    Attributes
    ----------
    scores
        Scores of T objectives [N, T].
    requests
        The request of each candidate.
    features
        Raw values by name, [N] or a single one for all; missing values are NaN, or None for strings. Values of several
        per row are [N, W], padded with missing ones.
    behind
        Mask [N] of candidates that rank after the others whatever their fused scores; ``None`` if there are none.
    """

    scores: Floats
    requests: Requests
    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    behind: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        objectives: tuple[str, ...],
        scores: ArrayLike,
        requests: Requests | None = None,
        features: Mapping[str, ArrayLike] | None = None,
        behind: NDArray[np.bool_] | None = None,
    ) -> "Candidates":
        """Check inputs for T ``objectives``; without ``requests`` all candidates belong to one request.

        Raises ``FusionError`` for scores that are not finite or not [N, T], for requests or a ``behind`` not of N
        candidates, and for a feature with neither N values nor one.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(objectives):
            raise FusionError(
                f"scores must be [candidates, {len(objectives)}], one column for each of "
                f"{', '.join(objectives)}; got shape {list(scores.shape)}"
            )
        finite = np.isfinite(scores)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            wrong = f"{scores[row, column]} for {objectives[column]!r} of candidate {row}"
            raise FusionError(f"scores must be finite, got {wrong}")
        requests = Requests.one(len(scores)) if requests is None else requests
        if len(requests.codes) != len(scores):
            raise FusionError(f"requests have {len(requests.codes)} candidates, but scores have {len(scores)}")
        if behind is not None and behind.shape != (len(scores),):
            raise FusionError(f"behind must be [{len(scores)}], as scores are; got shape {list(behind.shape)}")
        values = {name: np.asarray(value) for name, value in (features or {}).items()}
        for name, value in values.items():
            if value.shape not in ((), (len(scores),)) and (value.ndim != 2 or len(value) != len(scores)):
                raise FusionError(
                    f"feature {name!r} must have one value, or one per candidate ({len(scores)}); "
                    f"got shape {list(value.shape)}"
                )
        return cls(scores, requests, values, behind)

    def numbers(self, name: str) -> Floats:
        """Values of a numeric feature [N], NaN for missing. Raises ``FusionError`` if it is missing or not numeric."""
        value = self.feature(name)
        try:
            return np.broadcast_to(value.astype(np.float64), len(self.scores))
        except (TypeError, ValueError):
            raise FusionError(f"feature {name!r} must be a number, got {value.ravel()[:1].tolist()!r}") from None

    def feature(self, name: str) -> NDArray[Any]:
        """Values of a feature, [N] or a single one. Raises ``FusionError`` if it is not given."""
        if name not in self.features:
            available = f"(given: {', '.join(self.features) or 'none'})"
            raise FusionError(f"fusion reads feature {name!r}, but it has no value {available}")
        return self.features[name]

    @property
    def ranks(self) -> Floats:
        """Ranks within the request [N, T], from 1; tied scores get the lowest rank."""
        return self.better.astype(np.float64) + 1.0

    @cached_property
    def better(self) -> NDArray[np.intp]:
        """Number of candidates in the same request with a strictly better score [N, T]."""
        counts = np.empty(self.scores.shape, dtype=np.intp)
        for i in range(self.scores.shape[-1]):
            counts[:, i] = self.requests.better(self.scores[:, i])
        return counts
