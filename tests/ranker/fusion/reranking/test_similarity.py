import numpy as np
import pytest

from ranker.fusion.reranking.relevance import ranked, scaled
from ranker.fusion.reranking.similarity import Tags, similarity

KINDS = {"genre": "category", "tags": "tags", "vector": "vector", "price": "number", "age": "number"}


def matrix(**values):
    made = similarity(
        list(values), KINDS, {name: np.array(value, dtype=_type(value)) for name, value in values.items()}
    )
    count = len(next(iter(values.values())))
    return np.stack([made.row(i) for i in range(count)])


def _type(value):
    first = value[0][0] if isinstance(value[0], list) else value[0]
    return np.float64 if isinstance(first, float) else object


def test_categories_are_equal_or_not_and_missing_ones_are_alike_to_none():
    assert matrix(genre=["a", "b", "a", None, None]).tolist() == [
        [1, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_tags_by_jaccard():
    found = matrix(tags=[["a", "b", None], ["b", "c", "d"], [None, None, None], ["b", None, None]])
    np.testing.assert_allclose(found, [[1, 1 / 4, 0, 1 / 2], [1 / 4, 1, 0, 1 / 3], [0, 0, 1, 0], [1 / 2, 1 / 3, 0, 1]])


def test_tags_are_sets_of_any_values_with_missing_ones_anywhere():
    repeated = matrix(tags=[["a", "a", "b"], [None, "b", "c"], ["d", float("nan"), "e"]])
    np.testing.assert_allclose(repeated, [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(matrix(tags=[[1.0, 2.0], [2.0, np.nan], [np.nan, np.nan]])[0], [1, 1 / 2, 0])
    assert matrix(tags=[[1, None], ["1", None]])[0].tolist() == [1, 0]


def test_tags_as_those_of_sets():
    random = np.random.default_rng(0)
    tags = random.choice(["a", "b", "c", "d", "e", None], (40, 5))
    sets = [set(row) - {None} for row in tags.tolist()]
    expected = [
        [1.0 if i == j else len(a & b) / max(len(a | b), 1) for j, b in enumerate(sets)] for i, a in enumerate(sets)
    ]
    np.testing.assert_allclose(matrix(tags=tags.tolist()), expected)


def test_many_distinct_tags_take_no_more_memory_than_the_values():
    made = Tags(np.arange(1000 * 32, dtype=np.float64).reshape(1000, 32))
    held = sum(value.nbytes for value in vars(made).values())
    assert held < 1_000_000
    assert made.row(3).tolist() == np.eye(1000)[3].tolist()


def test_vectors_by_cosine():
    found = matrix(vector=[[2.0, 0.0], [3.0, 3.0], [0.0, 0.0], [np.nan, 1.0]])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found, [[1, half, 0, 0], [half, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_numbers_by_their_distance_in_standard_deviations():
    # Deviation 1: distances 2 and 0.
    np.testing.assert_allclose(matrix(price=[1.0, 3.0])[0], [1, np.exp(-2)])
    np.testing.assert_allclose(matrix(price=[1.0, 3.0], age=[5.0, 5.0])[0], [1, np.exp(-1)])
    np.testing.assert_allclose(matrix(price=[1e300, -1e300])[0], [1, np.exp(-2)])
    assert matrix(price=[1.0, np.nan, 3.0])[1].tolist() == [0, 1, 0]
    assert matrix(price=[np.nan, np.nan])[0].tolist() == [1, 0]


def test_several_features_count_alike():
    found = matrix(genre=["a", "a"], tags=[["x"], ["y"]], price=[1.0, 3.0])
    assert found[0, 1] == pytest.approx((1 + 0 + np.exp(-2)) / 3)


def test_matrices_are_positive_semidefinite():
    random = np.random.default_rng(0)
    found = matrix(
        genre=random.choice(["a", "b", "c"], 30).tolist(),
        tags=random.choice(["x", "y", "z", "w"], (30, 3)).tolist(),
        vector=random.normal(size=(30, 4)).tolist(),
        price=random.normal(size=30).tolist(),
    )
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1)
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_relevance_is_within_the_request():
    assert scaled(np.array([3.0, 2.0, 1.0])).tolist() == [1, 0.5, 0]
    assert scaled(np.array([2.0, 2.0])).tolist() == [1, 1]
    assert scaled(np.array([np.inf, 5.0, 3.0, -np.inf])).tolist() == [1, 1, 0, 0]
    assert scaled(np.array([1e308, 0.0, -1e308])).tolist() == [1, 0.5, 0]
    assert ranked(np.array([9.0, 5.0, 5.0, 1.0])).tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0])
    assert ranked(np.array([9.0])).tolist() == [1]
