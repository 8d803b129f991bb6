"""The result of ranking candidates, and the requests in it that re-ranking works on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.candidates import Candidates
from ranker.fusion.order import order
from ranker.fusion.reranking import Readable, Request
from ranker.fusion.rules import Mask

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Result of ranking N candidates.

    Attributes
    ----------
    scores
        Calibrated scores [N, T].
    fused
        Fused scores [N] after rules.
    last, dropped
        Masks of candidates [N] that a floor ranks last or drops.
    picked
        By rule, mask of candidates [N] it applied to.
    behind
        Mask of candidates [N] that rank after the others; those that a floor ranks last still come after them.
    front
        Place [N], from 1 in each request, of the candidates that re-ranking and exploration ordered, which are the
        first of their request; 0 for the others, which follow by their fused scores. ``None`` if they ordered none.
    replaced
        Fused score [N] of the candidate in whose place each candidate stands since; set with ``front``.
    base_place
        Place [N] before exploration, from 1; 0 for dropped candidates. ``None`` if nothing was drawn.
    propensity
        Probability [N] of each candidate at its place given the candidates at the places before it: 1 for those that
        exploration does not draw, 0 for dropped ones. ``None`` as above.
    """

    scores: Floats
    fused: Floats
    last: Mask
    dropped: Mask
    picked: Mapping[str, Mask]
    behind: Mask | None = None
    front: Indices | None = None
    replaced: Floats | None = None
    base_place: Indices | None = None
    propensity: Floats | None = None

    @property
    def tiers(self) -> Indices:
        """Tier [N]: candidates of a lower one rank before those of a higher one; dropped ones have 4 and more."""
        return np.asarray(4 * self.dropped + 2 * self.last + (0 if self.behind is None else self.behind), dtype=np.intp)

    def taken(self, rows: Indices) -> "Ranked":
        """The candidates at some rows, such as those of one request."""
        return Ranked(
            scores=self.scores[rows],
            fused=self.fused[rows],
            last=self.last[rows],
            dropped=self.dropped[rows],
            picked={rule: mask[rows] for rule, mask in self.picked.items()},
            behind=None if self.behind is None else self.behind[rows],
            front=None if self.front is None else self.front[rows],
            replaced=None if self.replaced is None else self.replaced[rows],
            base_place=None if self.base_place is None else self.base_place[rows],
            propensity=None if self.propensity is None else self.propensity[rows],
        )

    def sort_keys(self) -> Floats:
        """Numbers [N] that order the candidates of each request as its ranking does, higher first; ties are equal.

        Candidates that a floor drops come last, as they are not ranked at all. Re-ranking permutes the numbers of a
        request, so that they compare across requests as before, up to ties. Raises ``FusionError`` for NaN.
        """
        self.require_numbers()
        values, places = np.unique(self.fused, return_inverse=True)
        if self.front is None or self.replaced is None:
            return places.astype(np.float64) - self.tiers * len(values)
        keys = np.searchsorted(values, self.replaced) - self.tiers * float(len(values))
        # Those with a place in front are not tied, neither with one another nor with those behind them.
        return np.where(self.front > 0, keys + 0.5 - 0.5 * self.front / (self.front.max(initial=0) + 1), keys)

    def order(self, k: int | None = None) -> Indices:
        """Indices of the ``k`` best candidates of one request, best first; ``None`` ranks all that are not dropped."""
        if self.front is not None and self.front.any():
            first = np.flatnonzero(self.front)
            rest = np.flatnonzero(self.front == 0)
            others = self.taken(rest)._by_score(None)
            return np.concatenate([first[np.argsort(self.front[first])], rest[others]])[:k]
        return self._by_score(k)

    def drawn(self, order: Indices) -> tuple[Indices, Floats] | tuple[None, None]:
        """Places before exploration, and propensities, of candidates in an order [K]; ``None`` if nothing was drawn."""
        if self.base_place is None or self.propensity is None:
            return None, None
        return self.base_place[order], self.propensity[order]

    def require_numbers(self) -> None:
        """Raise ``FusionError`` for a fused score that is NaN."""
        if np.isnan(self.fused).any():
            raise FusionError(
                f"the fused score is not a number for candidate {np.flatnonzero(np.isnan(self.fused))[0]}"
            )

    def _by_score(self, k: int | None) -> Indices:
        if self.behind is None and not (self.last.any() or self.dropped.any()):
            return order(self.fused, k)
        tiers = self.tiers
        groups = [np.flatnonzero(tiers == tier) for tier in range(4)]
        return np.concatenate([rows[order(self.fused[rows])] for rows in groups])[:k]


def requests(readable: Readable, candidates: Candidates, ranked: Ranked) -> Iterator[Request]:
    """The candidates of each request that re-ranking may move, in fused order; requests without any are left out.

    These are the first tier that has candidates, so that none rises above a floor or above candidates that only the
    student scored. Raises ``FusionError`` for NaN.
    """
    ranked.require_numbers()
    tiers, codes = ranked.tiers, candidates.requests.codes
    kept = np.flatnonzero(~ranked.dropped)
    kept = kept[np.lexsort((-ranked.fused[kept], tiers[kept], codes[kept]))]  # stable: ties keep their order
    starts = np.flatnonzero(np.append(True, codes[kept][1:] != codes[kept][:-1])) if len(kept) else kept
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(kept)], strict=False):
        rows = kept[start:stop]
        rows = rows[tiers[rows] == tiers[rows[0]]]
        yield Request(readable, candidates, rows, ranked.fused[rows])
