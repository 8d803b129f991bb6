"""Policies from the command line and from a log, and how they order logged candidates."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.fusion import DEFAULT, FusionError, FusionOptions, build_plan
from ranker.fusion.exploration import PlackettLuce, Swap
from ranker.log_files.errors import DataError
from training.config.experiment import ConfigError
from training.off_policy.logged import Logged
from training.off_policy.policies import (
    PolicyOptions,
    logged_exploration,
    logged_plan,
    orders_of,
    plan_of,
    policy_of,
)

KINDS = {"click": "binary", "like": "binary"}
SCORES = np.array([[0.5, 0.1], [0.4, 0.9], [0.3, 0.2], [0.2, 0.8], [0.1, 0.3], [0.6, 0.6]])
LOGGED = Logged(
    starts=np.array([0, 4, 6]),
    units=np.array([0, 1]),
    shown=np.array([2, 2]),
    candidates=np.array([4, 2]),
    rewards=np.zeros(6),
    scores=SCORES,
    features={"age": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])},
)
TIES = np.array([0, 1, 2, 3, 0, 1])


def plan(features=("age",), **options):
    return build_plan(FusionOptions.model_validate({"name": "additive", **options}), KINDS, features)


def orders(**options):
    return orders_of("one", plan(**options), LOGGED, SCORES, TIES)


def test_candidates_are_ordered_within_their_requests():
    found = orders(explore={"kind": "swap"})
    np.testing.assert_allclose(found.fused, SCORES.sum(axis=1))
    assert found.base.tolist() == [2, 0, 3, 1, 1, 0]
    assert found.free.tolist() == [4, 2]
    assert found.explorations == (Swap(kind="swap"),)
    assert orders().explorations == (None,)


def test_equal_candidates_keep_the_order_of_the_logging_policy():
    equal = np.zeros_like(SCORES)
    ties = np.array([3, 1, 0, 2, 1, 0])
    assert orders_of("one", plan(), LOGGED, equal, ties).base.tolist() == ties.tolist()


def test_exploration_may_draw_the_first_tier_alone():
    found = orders(rules={"old": {"kind": "floor", "least": {"like": 0.25}}})
    assert found.base.tolist() == [2, 0, 3, 1, 1, 0]
    assert found.free.tolist() == [2, 2]


def test_rules_may_not_shorten_lists():
    dropped = {"kind": "floor", "least": {"like": 0.5}, "below": "drop"}
    with pytest.raises(DataError, match="policy 'one': a rule drops candidates, so that 1 lists would be shorter"):
        orders(rules={"liked": dropped})


def test_features_must_be_logged():
    young = {"young": {"kind": "boost", "where": "age < 3", "multiply": 2.0}}
    assert orders(rules=young).base.tolist() == [1, 0, 3, 2, 1, 0]
    with pytest.raises(DataError, match="reads the feature 'age', which is not logged; add its column"):
        orders_of("one", plan(rules=young), LOGGED.with_features({}), SCORES, TIES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("likes", PolicyOptions(fusion="likes")),
        ("{fusion: likes, explore: false}", PolicyOptions(fusion="likes", explore=False)),
        ('{"parameters": {"share": {"like": 2}}}', PolicyOptions(parameters={"share": {"like": 2.0}})),
        ({"name": "one", "rerank": False}, PolicyOptions(name="one", rerank=False)),
    ],
)
def test_policies_are_names_or_objects(text, expected):
    assert policy_of("--policy", text) == expected


def test_titles_tell_what_is_changed():
    assert PolicyOptions().title == "default"
    assert PolicyOptions(name="mine", fusion="likes").title == "mine"
    assert PolicyOptions(fusion="likes", explore=False).title == "likes, explore: False"


def test_plans_have_what_is_changed():
    fusions = {DEFAULT: plan(explore={"kind": "swap", "probability": 0.2}), "calm": plan()}

    def made(**asked):
        return plan_of("--policy", PolicyOptions(**asked), fusions)

    assert made().options.explore.probability == 0.2
    assert made(explore={"probability": 0.4}).options.explore.probability == 0.4
    assert made(explore=False).options.explore is None
    assert made(fusion="calm", explore={"kind": "plackett_luce"}).options.explore == PlackettLuce(kind="plackett_luce")
    assert made(fusion="multiplicative").fusion.name == "multiplicative"
    assert made(parameters={"share": {"like": 3.0}}).fusion.values["share"] == {"click": 1.0, "like": 3.0}
    for asked, message in (
        ({"fusion": "clam"}, "did you mean 'calm'"),
        ({"fusion": "calm", "explore": {"probability": 0.4}}, "does not explore"),
        ({"explore": {"kind": "swop"}}, "swop"),
        ({"rerank": {"diverse": False}}, "rerank"),
    ):
        with pytest.raises(ConfigError, match=message):
            made(**asked)


def test_a_log_tells_the_numbers_of_a_fusion():
    steps = {"spread": {"kind": "quota", "where": "age > 3", "at_most": 1, "of_first": 2}}
    fusions = {DEFAULT: plan(rerank=steps, explore={"kind": "swap", "probability": 0.2})}
    explore = {"kind": "swap", "first": 3, "max_move": 2, "relevance": "rank", "probability": 0.5}
    facts = {"parameters": {"share": {"click": 2.0, "like": 0.5}}, "explore": explore}
    found = logged_plan(DEFAULT, facts, fusions)
    assert found.fusion.values["share"] == {"click": 2.0, "like": 0.5}
    assert found.options.rerank == {}  # switched off, as the log does not tell it
    assert found.options.explore == Swap(**explore)
    told = {"kind": "quota", "at_most": 2, "of_first": 3, "consider": 100}
    found = logged_plan(DEFAULT, {**facts, "rerank": {"spread": told}}, fusions)
    assert found.options.rerank["spread"].facts == told
    with pytest.raises(FusionError, match="no fusion 'gone'"):
        logged_plan("gone", facts, fusions)
    with pytest.raises(FusionError, match="not how it explored"):
        logged_exploration({})


def test_requests_can_be_taken():
    part = LOGGED.taken(np.array([False, True]))
    assert part.starts.tolist() == [0, 2]
    assert part.scores.tolist() == SCORES[4:].tolist()
    assert not part.truncated.any()
    assert replace(part, candidates=np.array([5])).truncated.all()
