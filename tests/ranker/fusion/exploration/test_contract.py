"""What every kind of exploration promises."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from pydantic import TypeAdapter

from ranker.fusion import FusionError
from ranker.fusion.exploration import EXPLORATIONS, draw, propensities
from ranker.fusion.exploration.options import AnyExploration

FUSED = np.array([4.0, 3.0, 3.0, 1.0, -2.0])
OPTIONS = {
    "plackett_luce": {"temperature": 0.5},
    "epsilon": {"epsilon": 0.4},
    "swap": {"probability": 0.3, "max_move": 10},
}
"""Options other than the defaults, so that five candidates give many lists."""


def exploration(kind, **options):
    return EXPLORATIONS[kind].model_validate({"kind": kind, **OPTIONS.get(kind, {}), **options})


@pytest.fixture(params=list(EXPLORATIONS))
def kind(request):
    return request.param


@pytest.mark.parametrize("count", [1, 2, 7])
def test_chances_are_probabilities_and_the_best_has_the_highest(kind, count):
    for relevance in (np.linspace(1, 0, count), np.ones(count), np.array([1.0] + [0.0] * (count - 1))):
        chances = exploration(kind).chances(relevance)
        assert chances.shape == (count,)
        assert (chances >= 0).all()
        assert chances.sum() == pytest.approx(1.0, abs=1e-12)
        assert chances[0] == chances.max()


@pytest.mark.parametrize(("first", "max_move"), [(5, 5), (3, 1), (2, 2), (1, 1), (5, 1)])
def test_the_propensities_of_all_lists_sum_to_1(kind, first, max_move):
    explores = exploration(kind, first=first, max_move=max_move)
    total = sum(np.prod(propensities(explores, FUSED, order)) for order in permutations(range(5)))
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("first", "max_move"), [(3, 2), (5, 1)])
def test_lists_are_drawn_as_often_as_their_propensity_says(kind, first, max_move):
    explores, count = exploration(kind, first=first, max_move=max_move), 2000
    drawn = [draw(explores, FUSED, f"request-{seed}") for seed in range(count)]
    told = {tuple(one.order.tolist()): one.propensity for one in drawn}
    for order, times in Counter(tuple(one.order.tolist()) for one in drawn).items():
        assert np.abs(np.array(order) - np.arange(5)).max() <= max_move
        expected = propensities(explores, FUSED, order)
        np.testing.assert_allclose(told[order], expected)
        chance = float(np.prod(expected))
        assert abs(times - count * chance) < 4.5 * np.sqrt(count * chance * (1 - chance)) + 1


def test_no_candidate_moves_further_than_it_may(kind):
    own = EXPLORATIONS[kind].parameters[0]
    explores = exploration(kind, **{"first": 6, "max_move": 2, own.name: own.high})
    fused = np.linspace(1, 0, 20)
    for seed in range(200):
        drawn = draw(explores, fused, str(seed))
        order = drawn.order
        assert sorted(order.tolist()) == list(range(20))
        assert np.abs(order - np.arange(20)).max() <= 2
        assert order[8:].tolist() == list(range(8, 20))
        assert (drawn.propensity[6:] == 1).all()


def test_few_or_no_candidates_and_extreme_scores(kind):
    explores = exploration(kind)
    assert draw(explores, np.zeros(0), "a").order.tolist() == []
    assert draw(explores, np.ones(1), "a") == ([0], [1.0])
    for fused in ([np.inf, 1.0, -np.inf], [1e308, 0.0, -1e308], [0.0, 0.0, 0.0], [np.inf] * 3):
        drawn = draw(explores, np.array(fused), "a")
        assert sorted(drawn.order.tolist()) == [0, 1, 2]
        assert np.isfinite(drawn.propensity).all()
        assert (drawn.propensity > 0).all()


def test_scores_count_by_place_whatever_candidate_re_ranking_put_there(kind):
    explores, re_ranked = exploration(kind), FUSED[[3, 0, 4, 1, 2]]
    for seed in "abcdefgh":
        by_score, other = draw(explores, FUSED, seed), draw(explores, re_ranked, seed)
        np.testing.assert_array_equal(by_score.order, other.order)
        np.testing.assert_array_equal(by_score.propensity, other.propensity)


def test_parameters_are_overridden_within_their_bounds(kind):
    explores = exploration(kind)
    for parameter in explores.parameters:
        changed = explores.replaced({parameter.name: parameter.high})
        assert changed.facts == {**explores.facts, parameter.name: parameter.high}
        assert EXPLORATIONS[kind](kind=kind).facts[parameter.name] == parameter.default
        for wrong in (parameter.low - 1, parameter.high + 1, "many", True, None, float("nan")):
            with pytest.raises(FusionError, match=f"^{parameter.name} must be a (whole )?number in"):
                explores.replaced({parameter.name: wrong})
        with pytest.raises(ValueError, match=f"{parameter.name} must be a (whole )?number in"):
            exploration(kind, **{parameter.name: parameter.low - 1})
    with pytest.raises(FusionError, match="has no parameter 'fist'; did you mean 'first'"):
        explores.replaced({"fist": 3})
    with pytest.raises(FusionError, match="must be true, false, or an object"):
        explores.replaced(3)


def test_it_survives_being_stored(kind):
    explores = exploration(kind)
    assert TypeAdapter(AnyExploration).validate_json(explores.model_dump_json()) == explores
