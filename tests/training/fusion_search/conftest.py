"""Scored rows of some requests, with a feature and a value."""

import numpy as np
import pytest

from training.fusion_search.scored_rows import ScoredRows

TASKS = ("click", "like", "watch")


@pytest.fixture
def rows() -> ScoredRows:
    rng = np.random.default_rng(0)
    count = 1200
    logits = rng.normal(size=(count, 3)) + np.array([0.0, -1.5, 0.0])
    scores = 1 / (1 + np.exp(-logits))
    labels = (rng.random((count, 3)) < scores).astype(float)
    labels[:, 2] = rng.exponential(scores[:, 2])
    known = rng.random((count, 3)) < [1.0, 0.8, 1.0]
    groups = np.unique(rng.integers(0, 90, count), return_inverse=True)[1].astype(np.intp)
    columns = {"age": rng.random(count), "worth": rng.random(count) + labels[:, 0]}
    return ScoredRows(TASKS, scores, labels, known, groups, columns)
