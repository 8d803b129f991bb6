"""What every re-ranking step promises, whatever its kind."""

import numpy as np
import pytest

from ranker.fusion import FusionError
from ranker.fusion.reranking import STEPS, Readable, Step, rerank
from tests.ranker.fusion.reranking.requests import READABLE, order, request, step

OPTIONS = {
    "mmr": {"of": ["vector", "tags", "genre", "price"], "first": 4},
    "dpp": {"of": ["vector", "tags", "genre", "price"], "first": 4},
    "spread": {"of": "genre", "first": 4},
    "quota": {"where": "is_new == 1 and price < 2", "at_least": 1, "of_first": 3},
    "fixed": {"where": "is_new == 1", "slots": [2, 4]},
}
SMALLEST = {"at_most": 1, "window": 2, "at_least": 0, "of_first": 3}


def test_every_step_is_tested():
    assert set(OPTIONS) == set(STEPS)


@pytest.fixture(params=OPTIONS)
def one(request) -> Step:
    return step(request.param, **OPTIONS[request.param])


def asked_of(random, count, missing=0.0):
    gone = random.random((4, count)) < missing
    genre = np.where(gone[0], None, random.choice(["a", "b", "c"], count))
    tags = np.where(gone[1][:, None], None, random.choice(["x", "y", "z", None], (count, 3)).astype(object))
    return request(
        np.sort(np.round(random.normal(size=count), 1))[::-1],  # with ties
        genre=genre,
        tags=tags,
        price=np.where(gone[2], np.nan, random.normal(size=count)),
        vector=random.normal(size=(count, 2)) * ~gone[3][:, None],
        is_new=np.where(gone[2], np.nan, random.integers(0, 2, count)),
    )


@pytest.mark.parametrize("missing", [0.0, 0.4, 1.0])
def test_it_permutes_the_candidates_and_is_repeatable(one, missing):
    random = np.random.default_rng(0)
    for count in (0, 1, 2, 3, 7, 40):
        asked = asked_of(random, count, missing)
        found = rerank({"it": one}, asked, explained=True)
        assert sorted(found.order.tolist()) == list(range(count))
        assert order(asked, one) == found.order.tolist()
        np.testing.assert_array_equal(found.moves["it"][found.order], found.order - np.arange(count))


def test_it_depends_on_no_candidate_that_is_not_considered(one):
    if "consider" not in type(one).model_fields:
        return
    random = np.random.default_rng(1)
    few = one.model_copy(update={"consider": 5})
    asked = asked_of(random, 30)
    whole = order(asked, few)
    assert sorted(whole[:5]) == list(range(5))
    assert whole[5:] == list(range(5, 30))


def test_equal_candidates_keep_their_order(one):
    same = request([1.0] * 6, genre=["a"] * 6, tags=[["x"]] * 6, price=[1.0] * 6, vector=[[1.0]] * 6, is_new=[1] * 6)
    pinned = [2, 0, 3, 1, 4, 5]  # the best two that match, at places 2 and 4
    assert order(same, one) == (pinned if one.kind == "fixed" else list(range(6)))


def test_huge_and_infinite_fused_scores_are_ranked_without_a_warning(one):
    random = np.random.default_rng(2)
    asked = asked_of(random, 6)
    for fused in ([1e308, 1e300, 0, 0, -1e300, -1e308], [np.inf, np.inf, 1, 0, -np.inf, -np.inf], [np.inf] * 6):
        huge = request(fused, **{name: value for name, value in asked.candidates.features.items() if name != "item_id"})
        assert sorted(order(huge, one)) == list(range(6))


def test_parameters_are_overridden_within_their_bounds(one):
    for parameter in one.parameters:
        if parameter.name in one.numbers:
            value = SMALLEST.get(parameter.name, parameter.low)
            assert one.replaced({parameter.name: value}).numbers[parameter.name] == value
        for wrong in (parameter.low - 1, parameter.high + 1, "many", True, None, float("nan")):
            with pytest.raises(FusionError, match=f"^{parameter.name} must be a (whole )?number in"):
                one.replaced({parameter.name: wrong})
    with pytest.raises(FusionError, match=rf"{one.kind} has no parameter 'lamda'"):
        one.replaced({"lamda": 1})
    with pytest.raises(FusionError, match="must be true, false, or an object"):
        one.replaced(3)  # type: ignore[arg-type]


def test_bounds_hold_in_configs_too(one):
    for parameter in one.parameters:
        with pytest.raises(ValueError, match=f"{parameter.name} must be a (whole )?number"):
            type(one).model_validate({**one.model_dump(by_alias=True), parameter.name: parameter.high + 1})


def test_an_unknown_feature_is_an_error_that_names_the_key(one):
    with pytest.raises(FusionError, match=r"^(of|where): "):
        one.check(Readable(READABLE.objectives, (), {}, "item_id"))
    assert set(one.reads(READABLE)) <= {*READABLE.objectives, *READABLE.features, *READABLE.compared}


def test_it_survives_being_stored(one):
    assert type(one).model_validate_json(one.model_dump_json()) == one
