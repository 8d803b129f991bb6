"""One ordering for all columns: the values of scikit-learn, column by column."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ranker.metrics import BinnedAuc, JointAuc, auc

RNG = np.random.default_rng(0)
ROWS = 5000
LOGITS = RNG.normal(size=(ROWS, 3)) + np.array([0.0, -1.0, -3.0])
LABELS = (RNG.random((ROWS, 3)) < 1 / (1 + np.exp(-LOGITS))).astype(int)

SCORES = {
    "positive": np.exp(LOGITS.sum(axis=1)),
    "both signs": LOGITS.sum(axis=1),
    "negative": -np.exp(-LOGITS.sum(axis=1)),
    "ties": np.round(LOGITS.sum(axis=1)),
    "zeros of both signs": np.where(LOGITS[:, 0] > 0, 0.0, -0.0) + np.maximum(LOGITS[:, 1], 0),
    "all equal": np.full(ROWS, 0.25),
    "hundreds of powers of two": np.exp(40 * LOGITS.sum(axis=1)),
    "both signs over all powers of two": np.sign(LOGITS[:, 0]) * np.exp(60 * LOGITS[:, 1]),
    "last bits": 1.0 + np.argsort(np.argsort(LOGITS.sum(axis=1))) * 2.0**-52,
}


@pytest.mark.parametrize("name", list(SCORES))
def test_equals_sklearn(name: str) -> None:
    expected = [roc_auc_score(LABELS[:, i], SCORES[name]) for i in range(3)]
    np.testing.assert_allclose(JointAuc(LABELS)(SCORES[name]), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["positive", "both signs", "ties", "both signs over all powers of two"])
@pytest.mark.parametrize("weights", [None, "whole", "any"])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_auc_of_each_column_over_its_known_rows(name: str, weights: str | None, masked: bool) -> None:
    known = RNG.random(LABELS.shape) < 0.7 if masked else np.ones(LABELS.shape, dtype=bool)
    drawn = {None: None, "whole": RNG.integers(0, 4, ROWS).astype(float), "any": RNG.random(ROWS)}[weights]
    found = JointAuc(LABELS, known, drawn)(SCORES[name])
    for i in range(3):
        rows = known[:, i]
        expected = auc(LABELS[rows, i], SCORES[name][rows], None if drawn is None else drawn[rows])
        assert found[i] == pytest.approx(expected, abs=1e-12)


def test_hand_computed() -> None:
    # First column: 0.9 beats both negatives and 0.4 one of them. In the second ranking ties count one half.
    labels = [[1, 0], [0, 1], [1, 1], [0, 0]]
    np.testing.assert_allclose(JointAuc(labels)([0.9, 0.5, 0.4, 0.1]), [0.75, 0.5])
    np.testing.assert_allclose(JointAuc(labels)([0.5, 0.5, 0.5, 0.1]), [0.75, 0.75])


def test_only_a_column_with_one_class_is_undefined() -> None:
    found = JointAuc([[1, 1], [1, 0]])([0.2, 0.1])
    assert math.isnan(found[0])
    assert found[1] == 1.0
    assert np.isnan(JointAuc(np.empty((0, 2)))([])).all()


def test_concurrent_calls_give_the_same_result() -> None:
    joint, binned = JointAuc(LABELS), BinnedAuc(LABELS)
    scores = [LOGITS @ RNG.random(3) for _ in range(24)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(joint, scores)), list(pool.map(binned, scores))
    for i, one in enumerate(scores):
        np.testing.assert_array_equal(together[0][i], joint(one))
        np.testing.assert_array_equal(together[1][i].values, binned(one).values)


@pytest.mark.parametrize("name", list(SCORES))
@pytest.mark.parametrize("bins", [2, 100, 4096])
def test_a_histogram_is_within_its_bound(name: str, bins: int) -> None:
    found, exact = BinnedAuc(LABELS, bins=bins)(SCORES[name]), JointAuc(LABELS)(SCORES[name])
    assert (np.abs(found.values - exact) <= found.bounds + 1e-12).all()
    if name == "all equal":
        np.testing.assert_allclose(found.values, 0.5)
        np.testing.assert_allclose(found.bounds, 0.5)


@pytest.mark.parametrize("name", ["positive", "both signs"])
def test_fine_bins_are_close_to_exact(name: str) -> None:
    found, exact = BinnedAuc(LABELS)(SCORES[name]), JointAuc(LABELS)(SCORES[name])
    np.testing.assert_allclose(found.values, exact, atol=2e-5)
    assert (found.bounds < 2e-3).all()


def test_bins_keep_masks_and_weights() -> None:
    known, weights = RNG.random(LABELS.shape) < 0.7, RNG.integers(0, 4, ROWS)
    found = BinnedAuc(LABELS, known, weights)(SCORES["both signs"])
    np.testing.assert_allclose(found.values, JointAuc(LABELS, known, weights)(SCORES["both signs"]), atol=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_of_several_rankings_equal_the_whole(weighted: bool) -> None:
    binned = BinnedAuc(LABELS, weights=RNG.integers(0, 4, ROWS) if weighted else None)
    scores = np.stack([SCORES["positive"], SCORES["both signs"]])
    ordered, asked = scores[:, binned.order], []

    def scored(rows):  # type: ignore[no-untyped-def]
        asked.append(ordered[:, rows].shape[1])
        return ordered[:, rows]

    found = binned.of_rankings(scored, 100)
    assert max(asked[1:]) == 100
    assert sum(asked[1:]) == ROWS
    for ranking, values, bounds in zip(scores, found.values, found.bounds, strict=True):
        alone = binned(ranking)
        np.testing.assert_array_equal(values, alone.values)
        np.testing.assert_array_equal(bounds, alone.bounds)


def test_bad_input_is_reported() -> None:
    with pytest.raises(ValueError, match=r"labels must be 0 or 1, got 2\.0 in row 1, column 0"):
        JointAuc([[0.0], [2.0]])
    with pytest.raises(ValueError, match="scores must be finite, got nan in row 1"):
        JointAuc([[0], [1]])([0.5, float("nan")])
    with pytest.raises(ValueError, match=r"scores must be \[2\]"):
        BinnedAuc([[0], [1]])([0.5])
    with pytest.raises(ValueError, match="bins must be >= 2, got 1"):
        BinnedAuc([[0], [1]], bins=1)
    with pytest.raises(ValueError, match="known must have the shape"):
        JointAuc([[0], [1]], [[True]])
