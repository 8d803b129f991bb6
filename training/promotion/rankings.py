"""How far the new version's rankings differ from the old one's: Kendall's tau and the overlap of the first ten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.checks import Floats
from training.config.promotion import TOP
from training.promotion.measures import Lists
from training.promotion.rows import PairedRows

MOST_LISTS = 2000
"""Most lists that are compared, drawn at random."""
MOST_ROWS = 20_000
"""Most rows that are compared as one list, drawn at random, where rows have no groups."""
PAIRWISE = 100
"""Up to this length all pairs of a list are compared, which takes a tenth of the time of sorting it."""
FUSED = "fused"


@dataclass(frozen=True)
class RankingShift:
    """Agreement of both versions' rankings.

    Attributes
    ----------
    name
        ``fused``, or an objective.
    lists
        Number of lists that were compared.
    tau
        Mean of Kendall's tau-b over lists; ``None`` if it is undefined in each, because scores are constant.
    low_tau
        The tau that one list in ten falls below.
    overlap
        Mean fraction of the old first ten that is among the new first ten, over lists of more than ten; ``None``
        without such a list.
    """

    name: str
    lists: int
    tau: float | None
    low_tau: float | None
    overlap: float | None


def ranking_shifts(rows: PairedRows, tasks: Sequence[str], lists: Lists | None, seed: int) -> list[RankingShift]:
    """Compare the fused rankings and each objective's within lists, or each objective's over all rows without lists."""
    random = np.random.default_rng(seed)
    if lists is None:
        chosen = random.permutation(len(rows))[:MOST_ROWS]
        pairs = {name: (rows.new.of(name)[chosen], rows.old.of(name)[chosen]) for name in tasks}
        return _shifts(pairs, [np.arange(len(chosen))])
    ranking = lists.groups.ranking(lists.old)
    members = np.split(ranking.order, ranking.starts[1:])
    picked = [members[i] for i in np.sort(random.permutation(len(members))[:MOST_LISTS])]
    pairs = {FUSED: (lists.new, lists.old)}
    pairs |= {name: (rows.new.of(name)[lists.members], rows.old.of(name)[lists.members]) for name in tasks}
    return _shifts(pairs, picked)


def _shifts(pairs: Mapping[str, tuple[Floats, Floats]], lists: Sequence[NDArray[np.intp]]) -> list[RankingShift]:
    found = []
    for name, (new, old) in pairs.items():
        taus = np.array([_tau(new[rows], old[rows]) for rows in lists])
        taus = taus[np.isfinite(taus)]
        overlaps = [_overlap(new[rows], old[rows]) for rows in lists if len(rows) > TOP]
        found.append(
            RankingShift(
                name,
                len(lists),
                float(taus.mean()) if len(taus) else None,
                float(np.quantile(taus, 0.1)) if len(taus) else None,
                float(np.mean(overlaps)) if overlaps else None,
            )
        )
    return found


def _tau(new: Floats, old: Floats) -> float:
    """Kendall's tau-b of two scores of the same candidates [N]; NaN if either is constant. Kendall 1945."""
    if len(new) < 2 or np.ptp(new) == 0 or np.ptp(old) == 0:
        return float("nan")
    if len(new) > PAIRWISE:
        from scipy.stats import kendalltau  # takes a second to import

        return float(kendalltau(new, old).statistic)
    by_new, by_old = (np.sign(scores[:, None] - scores) for scores in (new, old))
    return float((by_new * by_old).sum() / np.sqrt((by_new**2).sum() * (by_old**2).sum()))


def _overlap(new: Floats, old: Floats) -> float:
    first, second = (np.argsort(-scores, kind="stable")[:TOP] for scores in (new, old))
    return len(np.intersect1d(first, second)) / TOP
