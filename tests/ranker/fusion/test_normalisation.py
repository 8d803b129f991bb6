import numpy as np
import pytest

from ranker.fusion import Requests
from ranker.fusion.normalisation import NORMALISATIONS

every_normalisation = pytest.mark.parametrize("name", list(NORMALISATIONS))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [3.0, 1.0, 1.0, 5.0]),
        ("min_max", [0.5, 0.0, 0.0, 1.0]),
        # mean 2.5, variance (0.25 + 2.25 + 2.25 + 6.25) / 4 = 2.75
        ("z_score", [0.5 / 2.75**0.5, -1.5 / 2.75**0.5, -1.5 / 2.75**0.5, 2.5 / 2.75**0.5]),
        ("rank", [0.75, 0.5, 0.5, 1.0]),
    ],
)
def test_hand_computed(name: str, expected: list[float]) -> None:
    got = NORMALISATIONS[name](np.array([3.0, 1.0, 1.0, 5.0]), Requests.one(4))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@every_normalisation
def test_requests_are_normalised_independently(name: str) -> None:
    rng = np.random.default_rng(0)
    scores, keys = np.round(rng.normal(size=200), 1), rng.integers(0, 30, 200)
    together = NORMALISATIONS[name](scores, Requests.of(keys))
    for key in np.unique(keys):
        mine = keys == key
        np.testing.assert_allclose(
            together[mine], NORMALISATIONS[name](scores[mine], Requests.one(mine.sum())), rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize(("name", "value"), [("min_max", 0.5), ("z_score", 0.0), ("rank", 1.0)])
@pytest.mark.parametrize("score", [0.0, 0.1, 1.0, 1e-38, 1e12])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_constant_column_gets_one_value(name: str, value: float, score: float, count: int) -> None:
    assert NORMALISATIONS[name](np.full(count, score), Requests.one(count)).tolist() == [value] * count


@pytest.mark.parametrize("name", ["min_max", "z_score", "rank"])
@pytest.mark.parametrize("scale", [1e-250, 1e-9, 1.0, 1e9])
def test_the_result_does_not_depend_on_units_and_keeps_the_order(name: str, scale: float) -> None:
    scores = np.array([0.3, 0.1, 0.9, 0.3])
    got = NORMALISATIONS[name](scores * scale, Requests.one(4))
    np.testing.assert_allclose(got, NORMALISATIONS[name](scores, Requests.one(4)), rtol=1e-9)
    assert np.argsort(got, kind="stable").tolist() == [1, 0, 3, 2]


@every_normalisation
def test_no_candidates(name: str) -> None:
    assert NORMALISATIONS[name](np.empty(0), Requests.one(0)).shape == (0,)
