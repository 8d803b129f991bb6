"""Drawing an order: its distribution, its propensities, its bounds."""

from itertools import permutations

import numpy as np
import pytest

from ranker.fusion import FusionError
from ranker.fusion.exploration import EXPLORATIONS, Epsilon, PlackettLuce, Swap, draw, propensities, uniforms

FUSED = np.array([4.0, 3.0, 3.0, 1.0, -2.0])
OPTIONS = {
    "plackett_luce": {"temperature": 0.5},
    "epsilon": {"epsilon": 0.4},
    "swap": {"probability": 0.3},
}


def exploration(kind, **options):
    return EXPLORATIONS[kind].model_validate({"kind": kind, **OPTIONS[kind], **options})


def test_every_kind_is_tested():
    assert set(OPTIONS) == set(EXPLORATIONS)


@pytest.fixture(params=OPTIONS)
def kind(request):
    return request.param


@pytest.mark.parametrize(("first", "max_move"), [(5, 5), (3, 1), (2, 2), (1, 1), (5, 1)])
def test_the_propensities_of_all_lists_sum_to_1(kind, first, max_move):
    explores = exploration(kind, first=first, max_move=max_move)
    total = sum(np.prod(propensities(explores, FUSED, order)) for order in permutations(range(5)))
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("first", "max_move"), [(3, 2), (5, 1)])
def test_lists_are_drawn_as_often_as_their_propensity_says(kind, first, max_move):
    explores = exploration(kind, first=first, max_move=max_move)
    count = 4000
    found: dict[tuple[int, ...], int] = {}
    for seed in range(count):
        drawn = draw(explores, FUSED, f"request-{seed}")
        order = tuple(drawn.order.tolist())
        np.testing.assert_allclose(propensities(explores, FUSED, order), drawn.propensity)
        assert np.abs(drawn.order - np.arange(5)).max() <= max_move
        found[order] = found.get(order, 0) + 1
    for order, times in found.items():
        chance = np.prod(propensities(explores, FUSED, order))
        assert abs(times - count * chance) < 4.5 * np.sqrt(count * chance * (1 - chance)) + 1


def test_no_candidate_moves_further_than_it_may(kind):
    explores = exploration(kind, first=6, max_move=2, **({"epsilon": 1.0} if kind == "epsilon" else {}))
    fused = np.linspace(1, 0, 20)
    for seed in range(300):
        order = draw(explores, fused, str(seed)).order
        assert sorted(order.tolist()) == list(range(20))
        assert np.abs(order - np.arange(20)).max() <= 2
        assert order[8:].tolist() == list(range(8, 20))


def test_a_seed_draws_the_same_order_everywhere():
    assert uniforms("a", 2) == [0.32788302546524584, 0.07934489756160656]
    assert draw(exploration("plackett_luce"), FUSED, "r-1").order.tolist() == [0, 2, 1, 3, 4]


def test_chances_by_hand():
    relevance = np.array([1.0, 0.5, 0.0])
    odds = np.exp([0.0, -1.0, -2.0])
    np.testing.assert_allclose(
        PlackettLuce(kind="plackett_luce", temperature=0.5).chances(relevance), odds / odds.sum()
    )
    np.testing.assert_allclose(Epsilon(kind="epsilon", epsilon=0.3).chances(relevance), [0.8, 0.1, 0.1])
    np.testing.assert_allclose(Swap(kind="swap", probability=0.2).chances(relevance), [0.8, 0.2, 0.0])
    np.testing.assert_allclose(Swap(kind="swap", probability=0.2).chances(relevance[:1]), [1.0])


def test_few_or_no_candidates_and_extreme_scores(kind):
    explores = exploration(kind)
    assert draw(explores, np.zeros(0), "a").order.tolist() == []
    assert draw(explores, np.ones(1), "a") == ([0], [1.0])
    for fused in ([np.inf, 1.0, -np.inf], [1e308, 0.0, -1e308], [0.0, 0.0, 0.0]):
        drawn = draw(explores, np.array(fused), "a")
        assert sorted(drawn.order.tolist()) == [0, 1, 2]
        assert np.isfinite(drawn.propensity).all()
        assert (drawn.propensity > 0).all()


def test_an_order_that_cannot_be_drawn_has_propensity_0():
    swap = exploration("swap", first=3, max_move=1)
    np.testing.assert_allclose(propensities(swap, FUSED, [1, 0, 2, 3, 4]), [0.3, 1.0, 0.7, 1.0, 1.0])
    np.testing.assert_allclose(propensities(swap, FUSED, [2, 0, 1]), [0, 0, 0])
    np.testing.assert_allclose(propensities(swap, FUSED, [0, 1, 2, 4, 3]), [0.7, 0.7, 0.7, 0.0, 0.0])


def test_parameters_are_overridden_within_their_bounds(kind):
    explores = exploration(kind)
    for parameter in explores.parameters:
        assert getattr(explores.replaced({parameter.name: parameter.high}), parameter.name) == parameter.high
        with pytest.raises(FusionError, match=f"^{parameter.name} must be"):
            explores.replaced({parameter.name: parameter.high + 1})
        with pytest.raises(ValueError, match=f"{parameter.name} must be"):
            exploration(kind, **{parameter.name: parameter.low - 1})
    with pytest.raises(FusionError, match="has no parameter 'fist'; did you mean 'first'"):
        explores.replaced({"fist": 3})
