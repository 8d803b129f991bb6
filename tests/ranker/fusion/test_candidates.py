from typing import Any

import numpy as np
import pytest

from ranker.fusion import Candidates, FusionError, Requests


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"requests": Requests.one(3)}, "requests have 3 candidates, but scores have 2"),
        (
            {"features": {"age": [1.0, 2.0, 3.0]}},
            r"feature 'age' must have one value, or one per candidate \(2\); got shape \[3\]",
        ),
        ({"scores": [0.1, 0.2]}, r"one column for each of click, like; got shape \[2\]"),
        ({"scores": [[0.1, np.inf], [0.1, 0.1]]}, "got inf for 'like' of candidate 0"),
    ],
)
def test_mismatched_inputs_are_rejected(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(FusionError, match=text):
        Candidates.of(("click", "like"), **{"scores": [[0.1, 0.2], [0.3, 0.4]], **changes})


def test_a_feature_has_one_value_per_candidate_or_one_for_all() -> None:
    features = {"device": "phone", "age": [1.0, None]}
    candidates = Candidates.of(("click",), [[0.1], [0.2]], features=features)
    assert {name: value.shape for name, value in candidates.features.items()} == {"device": (), "age": (2,)}


def test_better_counts_per_objective_and_request() -> None:
    scores = [[0.1, 3.0], [0.2, 1.0], [0.1, 2.0], [0.9, 2.0]]
    assert Candidates.of(("a", "b"), scores, Requests.of([0, 0, 1, 1])).better.tolist() == [
        [1, 0],
        [0, 1],
        [1, 0],
        [0, 0],
    ]
