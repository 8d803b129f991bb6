"""NDCG of tasks of which only the order within lists is learnt, with exponential gains."""

import numpy as np

from ranker.metrics.base import Measured, Sample
from ranker.metrics.checks import Floats, ratio, total
from ranker.metrics.grouped import Groups
from ranker.metrics.lists import OfLists, Relevance, ndcg_of_lists


def exponential_ndcg_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """NDCG@k with gains 2^label - 1, as LambdaMART uses them; undefined without a label above 0."""
    return ndcg_of_lists(groups, relevance._replace(values=np.exp2(relevance.values) - 1.0), k)


def measured_lists(sample: Sample) -> Measured:
    """Mean NDCG of the lists of rows with a group, with the number of lists that define it.

    Raises ``ValueError`` for a sample without groups.
    """
    if sample.groups is None:
        raise ValueError("NDCG needs groups, got none")
    rows = sample.in_group
    if not rows.any():
        return Measured(lambda _: float("nan"), 0, {"graded_ndcg_lists": 0}, sample.groups[rows])
    groups = Groups(sample.groups[rows])
    labels = Relevance(sample.labels[rows], np.ones(int(rows.sum()), dtype=bool))
    values = exponential_ndcg_of_lists(groups, labels, None)(groups.ranking(sample.scores[rows]))
    defined = ~np.isnan(values)
    values, codes = values[defined], np.unique(sample.groups[rows])[defined]

    def statistic(weights: Floats) -> float:
        return ratio(total(values, weights), weights.sum())

    return Measured(statistic, len(values), {"graded_ndcg_lists": len(values)}, codes)
