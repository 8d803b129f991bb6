"""Values computed by hand, and by a slow loop over pairs."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ranker.rank_losses import RANK_LOSSES

LN2 = math.log(2)
KEYS = [7, 7, 9, 7, 9]
LOGITS = [0.0, LN2, 1.0, LN2, 1.0]
GRADES = [1.0, 0.0, 2.0, 0.0, 0.0]
"""List 7: grades 1, 0, 0 with odds 1 : 2 : 2. List 9: grades 2, 0, tied."""


def value(name, keys=KEYS, logits=LOGITS, grades=GRADES, weights=None, extra=None, **options):
    kind = RANK_LOSSES[name]
    weights = np.ones(len(keys)) if weights is None else weights
    arrays = [tf.constant(array, tf.float32) for array in (logits, grades, weights)]
    extra = None if extra is None else tf.constant(extra, tf.float32)
    return float(kind(kind.Options(**options)).loss(tf.constant(keys, tf.int64), *arrays, extra))


def test_softmax():
    # The relevant row has 1 / 5 of the first list's mass, and 1 / 2 of the second's, whatever its grade.
    assert value("softmax") == pytest.approx((math.log(5) + LN2) / 2)


def test_softmax_of_grades():
    # Gains of grades 2 and 1 are 3 and 1: they share the target as 3 / 4 and 1 / 4. Probabilities are 1 / 3 and 2 / 3.
    expected = 0.75 * math.log(3) + 0.25 * math.log(1.5)
    assert value("softmax", [1, 1], [0.0, LN2], [2.0, 1.0]) == pytest.approx(expected)
    assert value("softmax", [1, 1], [0.0, LN2], [3.0, 1.0], gain="linear") == pytest.approx(expected)


def test_pairwise_logistic():
    # The first list has two pairs, each lost at odds 1 : 2; the second has one at even odds. Lists count once.
    assert value("pairwise_logistic") == pytest.approx((math.log(3) + LN2) / 2)


def test_bpr_counts_pairs_and_not_lists():
    assert value("bpr") == pytest.approx((2 * math.log(3) + LN2) / 3)


def test_lambdarank():
    # In list 7 the relevant row is third: exchanged with the first it gains 1 - 1/2, with the second 1/log2(3) - 1/2.
    first, second = 0.5, 1 / math.log2(3) - 0.5
    of_7 = (first + second) * math.log(3)
    assert value("lambdarank") == pytest.approx((of_7 + (1 - 1 / math.log2(3)) * LN2) / 2)


def test_lambdarank_weighs_pairs_by_gain_and_place():
    # Ranked b (grade 0), a (grade 1), c (grade 2): discounts 1, 0.6309, 0.5.
    grades, logits = [1.0, 0.0, 2.0], [1.0, 2.0, 0.0]
    d = [1.0, 1 / math.log2(3), 0.5]
    pairs = [((0, 1), 1 * (d[0] - d[1])), ((2, 0), 2 * (d[1] - d[2])), ((2, 1), 3 * (d[0] - d[2]))]
    losses = [math.log1p(math.exp(logits[worse] - logits[better])) for (better, worse), _ in pairs]
    ideal = 3 * d[0] + 1 * d[1]
    expected = sum(w * loss for (_, w), loss in zip(pairs, losses, strict=True)) / ideal
    assert value("lambdarank", [1, 1, 1], logits, grades) == pytest.approx(expected)
    linear = [((0, 1), 1 * (d[0] - d[1])), ((2, 0), 1 * (d[1] - d[2])), ((2, 1), 2 * (d[0] - d[2]))]
    expected = sum(w * loss for (_, w), loss in zip(linear, losses, strict=True)) / (2 * d[0] + 1 * d[1])
    assert value("lambdarank", [1, 1, 1], logits, grades, gain="linear") == pytest.approx(expected)
    # Of the first place's pairs alone, (c, a) is left out.
    at_1 = [pairs[0], pairs[2]]
    expected = sum(w * loss for (_, w), loss in zip(at_1, losses[::2], strict=True)) / ideal
    assert value("lambdarank", [1, 1, 1], logits, grades, at=1) == pytest.approx(expected)


def test_approx_ndcg():
    # A sharp temperature gives NDCG itself: the relevant row is third of 3, or first of 2.
    sharp = value("approx_ndcg", [1, 1, 1, 2, 2], [0.0, 5, 9, 9, 0], [1.0, 0, 0, 1, 0], temperature=0.01)
    assert sharp == pytest.approx(((1 - 1 / math.log2(4)) + 0) / 2, abs=1e-6)
    # With two tied rows both have rank 1.5; gains of grades 2 and 1 are 3 and 1.
    tied = 1 - (3 + 1) / math.log2(2.5) / (3 + 1 / math.log2(3))
    assert value("approx_ndcg", [1, 1], [0.0, 0.0], [2.0, 1.0]) == pytest.approx(tied, rel=1e-5)


def test_jrc():
    # Rows a (1) and b (0) with f_1 = extra + z / 2 and f_0 = extra - z / 2.
    logits, extra = [1.0, -1.0], [0.5, 0.0]
    f_1, f_0 = [1.0, -0.5], [0.0, 0.5]
    expected = (math.log(math.exp(1) + math.exp(-0.5)) - f_1[0] + math.log(1 + math.exp(0.5)) - f_0[1]) / 2
    assert value("jrc", [4, 4], logits, [1.0, 0.0], extra=extra) == pytest.approx(expected)
    # A row alone in its list counts nothing.
    assert value("jrc", [4, 4, 5], [*logits, 3.0], [1.0, 0.0, 1.0], extra=[*extra, 2.0]) == pytest.approx(expected)


PAIRWISE = [name for name in RANK_LOSSES if name in ("pairwise_logistic", "bpr", "lambdarank")]


@pytest.mark.parametrize("name", PAIRWISE)
def test_pairs_agree_with_a_loop_over_them(name):
    random = np.random.default_rng(3)
    keys, grades = random.integers(1, 6, 40), random.integers(0, 4, 40).astype(float)
    logits, weights = np.float32(random.normal(size=40)), random.uniform(0.5, 2, 40)
    totals, masses, lists = {}, {}, {}
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        ranks = {i: 1 + sum(logits[j] > logits[i] for j in rows) for i in rows}
        totals[key], masses[key], lists[key] = 0.0, 0.0, weights[rows].mean()
        for i in rows:
            for j in rows:
                if grades[i] > grades[j]:
                    delta = (2 ** grades[i] - 2 ** grades[j]) * abs(
                        1 / math.log2(1 + ranks[i]) - 1 / math.log2(1 + ranks[j])
                    )
                    weight = weights[i] * (delta if name == "lambdarank" else 1)
                    totals[key] += weight * math.log1p(math.exp(logits[j] - logits[i]))
                    masses[key] += weight
        if name == "lambdarank":
            best = sorted(2 ** grades[rows] - 1, reverse=True)
            masses[key] = lists[key] * sum(gain / math.log2(2 + place) for place, gain in enumerate(best))
    if name == "bpr":
        expected = sum(totals.values()) / sum(masses.values())
    else:
        expected = sum(lists[key] * totals[key] / masses[key] for key in totals) / sum(lists.values())
    assert value(name, keys, logits, grades, weights) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("softmax", {"gain": "linear"}, 1.4200940),
        ("pairwise_logistic", {}, 0.6793126),
        ("approx_ndcg", {"temperature": 1.0}, 0.3942033),
        ("lambdarank", {}, 0.5517941),
    ],
)
def test_values_of_tensorflow_ranking(name, options, expected):
    """Computed once with tensorflow-ranking 0.5.5, which TensorFlow no longer runs as a whole.

    Means over the two lists of its SoftmaxLoss, of its PairwiseLogisticLoss divided by the pairs' number, of 1 plus its
    ApproxNDCGLoss, and of its PairwiseLogisticLoss with a normalised DCGLambdaWeight of absolute ranks, divided by the
    size of a list, by which it scales these.
    """
    logits = [0.3, -0.2, 1.1, 0.4, 0.9, 0.1, -0.5, 0.2]
    grades = [2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 3.0]
    assert value(name, np.repeat([1, 2], 4), logits, grades, **options) == pytest.approx(expected, rel=1e-5)
