import numpy as np
import pytest

from ranker.fusion.reranking.relevance import scaled
from ranker.fusion.reranking.similarity import similar
from ranker.fusion.reranking.steps.mmr import picked
from tests.ranker.fusion.reranking.requests import order, request, step


def matrix(asked, names):
    similarity = similar(names, asked, np.arange(len(asked)))
    return np.stack([similarity.row(i) for i in range(len(asked))])


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("of", [("vector",), ("genre",), ("tags",), ("price",), ("genre", "vector", "price")])
def test_every_pick_has_the_largest_marginal_relevance_of_all_left(weight, of):
    random = np.random.default_rng(0)
    for count in (2, 5, 9):
        asked = request(
            np.sort(random.normal(size=count))[::-1],
            genre=random.integers(0, 3, count),
            price=random.normal(size=count),
            vector=random.normal(size=(count, 3)),
            tags=[["a", "b", None], ["b", None, None], [None] * 3, ["a", "b", "c"], ["c", "d", None]][:count]
            + [["d", "a", None]] * max(count - 5, 0),
        )
        similarity, relevance = matrix(asked, of), scaled(asked.fused)
        found = order(asked, step("mmr", of=of, **{"lambda": weight}))
        for n, pick in enumerate(found):
            left = [i for i in range(count) if i not in found[:n]]
            closest = [max((similarity[i, j] for j in found[:n]), default=0.0) for i in left]
            values = [weight * relevance[i] - (1 - weight) * near for i, near in zip(left, closest, strict=True)]
            assert values[left.index(pick)] == pytest.approx(max(values), abs=1e-12)


def test_hand_computed_picks_of_three():
    asked = request([1.0, 0.9, 0.0], genre=[1, 1, 2])
    # After the first: .5 * .9 - .5 * 1 = -.05 against .5 * 0 - .5 * 0 = 0.
    assert order(asked, step("mmr", of="genre", **{"lambda": 0.5})) == [0, 2, 1]
    # .6 * .9 - .4 * 1 = .14 against 0.
    assert order(asked, step("mmr", of="genre", **{"lambda": 0.6})) == [0, 1, 2]


def test_lambda_means_the_same_for_any_scale_and_by_rank_for_any_increasing_map():
    random = np.random.default_rng(1)
    fused = np.sort(random.random(30))[::-1]
    genre = random.integers(0, 4, 30)
    for options in ({}, {"relevance": "rank"}):
        one = step("mmr", of="genre", **{"lambda": 0.8}, **options)
        expected = order(request(fused, genre=genre), one)
        assert order(request(1e6 * fused - 7, genre=genre), one) == expected
    assert order(request(np.exp(9 * fused), genre=genre), one) == expected


def test_only_the_first_places_and_the_considered_candidates_are_touched():
    asked = request(range(10, 0, -1), genre=[1] * 9 + [2])
    moved = step("mmr", of="genre", first=3, **{"lambda": 0.1})
    assert order(asked, moved) == [0, 9, 1, 2, 3, 4, 5, 6, 7, 8]
    assert order(asked, moved.model_copy(update={"consider": 9})) == list(range(10))


def test_the_first_pick_is_the_most_relevant_and_ties_keep_their_order():
    relevance = np.array([0.5, 1.0, 1.0])

    class Alike:
        def row(self, _):
            return np.ones(3)

    assert picked(relevance, Alike(), 0.5, 9).tolist() == [1, 2, 0]
