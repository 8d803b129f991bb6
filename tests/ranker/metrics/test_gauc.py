import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ranker.metrics import auc, gauc


def test_hand_computed() -> None:
    # ann: 0.9 beats 0.1 and 0.5 -> 1, 3 rows. bob: 0.4 ties with 0.4 -> 0.5, 2 rows. cid: no positive, left out.
    labels = [0, 1, 0, 1, 0, 0, 0]
    scores = [0.1, 0.9, 0.5, 0.4, 0.4, 0.8, 0.2]
    groups = ["ann", "ann", "ann", "bob", "bob", "cid", "cid"]
    found = gauc(labels, scores, groups)
    assert found.value == pytest.approx((3 * 1.0 + 2 * 0.5) / 5, abs=1e-15)
    assert (found.groups, found.rows) == (2, 5)


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 60, 600)
    labels = (rng.random(600) < 0.2).astype(int)
    scores = np.round(rng.normal(labels, 1), 1)
    weighted, rows, used = 0.0, 0, 0
    for group in np.unique(groups):
        own = groups == group
        if 0 < labels[own].sum() < own.sum():
            weighted += own.sum() * roc_auc_score(labels[own], scores[own])
            rows += own.sum()
            used += 1
    assert 0 < used < 60
    found = gauc(labels, scores, groups)
    assert found.value == pytest.approx(weighted / rows, abs=1e-12)
    assert (found.groups, found.rows) == (used, rows)


def test_one_group_is_the_plain_auc() -> None:
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 200), np.round(rng.random(200), 1)
    assert gauc(labels, scores, np.zeros(200)).value == pytest.approx(auc(labels, scores), abs=1e-15)


def test_a_bias_per_group_has_no_effect() -> None:
    rng = np.random.default_rng(4)
    groups = rng.integers(0, 20, 300)
    labels, scores = rng.integers(0, 2, 300), rng.integers(0, 50, 300)
    shifted = scores + rng.integers(-1000, 1000, 20)[groups]
    assert gauc(labels, shifted, groups) == gauc(labels, scores, groups)


@pytest.mark.parametrize(
    "keys", [np.array([3, 3, 9, 9]), np.array(["b", "b", "a", "a"], dtype=object), [0.5, 0.5, 0.1, 0.1]]
)
def test_keys_may_be_of_any_sortable_type(keys: Any) -> None:
    assert gauc([0, 1, 1, 0], [0.1, 0.2, 0.3, 0.4], keys) == (0.5, 2, 4)


@pytest.mark.parametrize("labels", [[], [0, 0, 1]])
def test_undefined_without_a_mixed_group(labels: list[int]) -> None:
    found = gauc(labels, np.ones(len(labels)), ["a", "a", "b"][: len(labels)])
    assert math.isnan(found.value)
    assert (found.groups, found.rows) == (0, 0)


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([1, 2, 3], "groups must have 2 rows.*got 3"),
        ([1.0, float("nan")], "groups must be finite, got nan in row 1"),
        (np.array([1, "a"], dtype=object), "groups must be keys of one sortable type"),
    ],
)
def test_bad_groups_are_reported(groups: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        gauc([0, 1], [0.1, 0.2], groups)
