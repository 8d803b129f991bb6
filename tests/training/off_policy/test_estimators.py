"""Every estimator: unbiased where all lists are counted, and for the logging policy what was observed."""

import numpy as np
import pytest

from ranker.fusion.exploration import Epsilon, Exploration, PlackettLuce, Swap
from ranker.fusion.exploration.batch import chances_by_draws, drawn_lists
from tests.training.off_policy import worlds
from training.off_policy.estimate import estimate, observed
from training.off_policy.estimators import ASSUMES, ESTIMATORS
from training.off_policy.sample import Sample, compared

REWARDS = {"list": worlds.list_reward, "cascade": worlds.cascade_reward, "place": worlds.place_reward}
FITS = {"list": REWARDS, "cascade": ("cascade", "place"), "place": ("place",)}
"""The kinds of rewards for which weights are right."""
SHARPER = PlackettLuce(kind="plackett_luce", temperature=0.3, first=3, max_move=3)
TARGETS: dict[str, Exploration | None] = {"drawn": SHARPER, "fixed": None, "swap": Swap(kind="swap", max_move=2)}


def sample_of(reward, target: Exploration | None, draws: int = 8, model: bool = True) -> Sample:
    lists, logged = worlds.every_list(reward, model)
    logging = worlds.orders(lists, worlds.LOGGING, worlds.SOFT)
    other = worlds.orders(lists, worlds.TARGET, target)
    return compared(logged, logging, other, places=worlds.PLACES, draws=draws, seed=0)


@pytest.fixture(params=sorted(ESTIMATORS))
def name(request):
    return request.param


def test_every_estimator_says_what_it_assumes(name):
    estimator = ESTIMATORS[name]
    assert estimator.weighting in ASSUMES
    assert name.startswith(f"{estimator.weighting}_")
    assert estimator.title
    assert estimator.__module__ == f"training.off_policy.estimators.{name}"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", REWARDS)
def test_over_all_lists_the_mean_is_the_true_value(name, target, kind):
    estimator = ESTIMATORS[name]()
    sample = sample_of(REWARDS[kind], TARGETS[target])
    chance, wanted = (
        worlds.chances(fused, explores)
        for fused, explores in ((worlds.LOGGING, worlds.SOFT), (worlds.TARGET, TARGETS[target]))
    )
    rewards = np.array([REWARDS[kind](one) for one in worlds.LISTS])
    values, shares = estimator.terms(sample, estimator.weights(sample))
    found = chance @ values
    if shares is not None:
        np.testing.assert_allclose(chance @ shares, 1.0, atol=1e-12)
    if kind in FITS[estimator.weighting]:
        np.testing.assert_allclose(found, wanted @ rewards, atol=1e-12)
    elif target != "fixed":  # whose first item is the best of all, so that those after it do not matter
        assert np.abs(found - wanted @ rewards).max() > 1e-3


@pytest.mark.parametrize("clip", [None, 1.0, 5.0])
def test_the_logging_policy_is_worth_what_was_observed(name, clip):
    random = np.random.default_rng(3)
    lists = np.array(worlds.LISTS)[random.integers(0, 24, 300)]
    logged = worlds.logged(lists, random.random((300, 3)), units=np.arange(300) // 3)
    logging = worlds.orders(lists, worlds.LOGGING, worlds.SOFT)
    sample = compared(logged, logging, worlds.orders(lists, worlds.LOGGING, worlds.SOFT), places=9, draws=4, seed=0)
    found, seen = estimate(sample, name, clip=clip), observed(sample.rewards, sample.units)
    assert found.value.value == pytest.approx(seen.value, abs=1e-12)
    assert found.value.error == pytest.approx(seen.error, abs=1e-12)
    assert (found.gain.low, found.gain.high) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert found.effective == pytest.approx([300.0] * 3)
    assert found.mean_weight == pytest.approx([1.0] * 3)
    assert found.clipped == 0.0


def test_the_logging_policy_is_worth_what_was_observed_also_with_drawn_chances(name):
    random = np.random.default_rng(4)
    size, explores = 30, PlackettLuce(kind="plackett_luce", temperature=0.5)
    lists = np.array([np.append(random.permutation(10), np.arange(10, size)) for _ in range(50)])
    logged = worlds.logged(lists, random.random((50, 10)), model=False)
    fused = np.linspace(1.0, 0.0, size)
    logged = type(logged)(**{**vars(logged), "model": fused[lists].ravel()})
    sides = [worlds.orders(lists, fused, explores) for _ in range(2)]
    sample = compared(logged, *sides, places=10, draws=4, seed=0)
    assert estimate(sample, name).value.value == pytest.approx(sample.observed.mean(), abs=1e-12)


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if ESTIMATORS[name].weighting == "place"])
def test_drawn_chances_of_places_leave_no_bias(name):
    """Ten places of 21 candidates have too many sets of candidates to count; few draws must do."""
    random, size, count = np.random.default_rng(5), 21, 3000
    fused, worth = np.linspace(1.0, 0.0, size), np.random.default_rng(6).random(size)
    explores = PlackettLuce(kind="plackett_luce", temperature=0.7)
    target = PlackettLuce(kind="plackett_luce", temperature=0.4)
    lists = drawn_lists(explores, np.tile(fused, (count, 1)), size, size, random)
    logged = worlds.logged(lists, worth[lists[:, :10]], model=False)
    logged = type(logged)(**{**vars(logged), "model": np.full(lists.size, 0.5)})
    sides = [worlds.orders(lists, fused, one) for one in (explores, target)]
    found = estimate(compared(logged, *sides, places=10, draws=8, seed=1), name)
    true = chances_by_draws(target, fused[None], size, 10, 60_000, np.random.default_rng(7))[0]
    truth = float((true @ worth[: true.shape[1]]).sum())
    assert abs(found.value.value - truth) < 4 * found.value.error
    assert found.value.error < 0.05 * truth


def test_numbers_by_hand():
    """Two candidates, one place; the first is shown with 0.8, and the target policy always shows the second."""
    epsilon = Epsilon(kind="epsilon", epsilon=0.4, first=1, max_move=1)
    lists = np.array([[0, 1]] * 4 + [[1, 0]] * 2)
    logged = worlds.logged(lists, np.array([[1.0], [0.0], [0.0], [0.0], [1.0], [0.0]]), model=False)
    logged = type(logged)(**{**vars(logged), "model": np.array([0.2, 0.6])[lists].ravel()})
    logging = worlds.orders(lists, np.array([1.0, 0.0]), epsilon)
    target = worlds.orders(lists, np.array([0.0, 1.0]), None)
    sample = compared(logged, logging, target, places=1, draws=1, seed=0)
    np.testing.assert_allclose(sample.logging[:, 0], [0.8] * 4 + [0.2] * 2)
    np.testing.assert_allclose(sample.target[:, 0], [0.0] * 4 + [1.0] * 2)
    # weights 0 and 5: (5 * 1 + 5 * 0) / 6 and 5 / 10
    ips = estimate(sample, "list_ips")
    assert ips.value.value == pytest.approx(5 / 6)
    assert ips.value.error == pytest.approx(np.sqrt((5 * (5 / 6) ** 2 + (25 / 6) ** 2) * 6 / 5) / 6)
    assert estimate(sample, "place_snips").value.value == pytest.approx(0.5)
    assert ips.effective == [2.0]
    assert ips.largest == 5.0
    assert ips.mean_weight == pytest.approx([10 / 6])
    # The model's mean of shown candidates is (4 * 0.2 + 2 * 0.6) / 6 = 1 / 3, that of rewards too: the factor is 1.
    # Expected are 0.6 by the target and 0.8 * 0.2 + 0.2 * 0.6 = 0.28 by the logging policy.
    errors = [-0.8, 0.2, 0.2, 0.2, 4 * 0.4, 4 * -0.6]
    assert estimate(sample, "place_dr").value.value == pytest.approx(1 / 3 + 0.32 + sum(errors) / 6)
    clipped = estimate(sample, "list_ips", clip=2.0)
    assert clipped.value.value == pytest.approx(2 / 6)
    assert clipped.clipped == pytest.approx(0.6)
    assert clipped.clipped_reward == pytest.approx(ips.value.value - clipped.value.value)


def test_requests_of_one_user_count_as_one():
    lists = np.array(worlds.LISTS * 2)
    rewards = np.array([worlds.list_reward(one) for one in worlds.LISTS] * 2)
    alone = worlds.logged(lists[:24], rewards[:24])
    twice = worlds.logged(lists, rewards, units=np.tile(np.arange(24), 2))
    found = []
    for logged in (alone, twice):
        own = lists[: len(logged)]
        sides = [worlds.orders(own, fused, worlds.SOFT) for fused in (worlds.LOGGING, worlds.TARGET)]
        found.append(estimate(compared(logged, *sides, places=3, draws=4, seed=0), "cascade_snips"))
    assert found[0].value.value == pytest.approx(found[1].value.value)
    assert found[0].value.error == pytest.approx(found[1].value.error)
    assert 2 * found[0].least_effective == pytest.approx(found[1].least_effective)


def test_a_single_user_tells_nothing_of_others():
    lists, logged = worlds.every_list(worlds.place_reward)
    logged = type(logged)(**{**vars(logged), "units": np.zeros(24, dtype=np.intp)})
    sides = [worlds.orders(lists, fused, worlds.SOFT) for fused in (worlds.LOGGING, worlds.TARGET)]
    found = estimate(compared(logged, *sides, places=3, draws=4, seed=0), "list_ips")
    assert found.value.error == float("inf")


def test_what_the_logging_policy_never_shows_is_told():
    """Neighbours swap at most, and the target policy reverses the list."""
    swap = Swap(kind="swap", probability=0.5, first=4, max_move=1)
    lists = np.array([[0, 1, 2, 3], [1, 0, 2, 3]])
    logged = worlds.logged(lists, np.ones((2, 3)))
    logging = worlds.orders(lists, worlds.LOGGING, swap)
    reversed_ = worlds.orders(lists, -worlds.LOGGING, None)
    sample = compared(logged, logging, reversed_, places=3, draws=4, seed=0)
    np.testing.assert_allclose(sample.outside, 1.0)
    np.testing.assert_allclose(sample.outside_at, [[1, 0, 0]] * 2)  # the third may be second, and the second third
    own = compared(logged, logging, logging, places=3, draws=4, seed=0)
    assert not own.outside.any()
    assert not own.outside_at.any()


def test_a_model_is_asked_for_where_it_is_needed():
    sample = sample_of(worlds.place_reward, None, model=False)
    with pytest.raises(ValueError, match="needs rewards that the model expects"):
        estimate(sample, "place_dr")


def test_requests_may_have_different_numbers_of_places():
    random = np.random.default_rng(8)
    lists = np.array(worlds.LISTS * 4)
    logged = worlds.logged(lists, random.random((96, 3)))
    shown = random.integers(1, 4, 96)
    logged = type(logged)(**{**vars(logged), "shown": shown})
    sides = [worlds.orders(lists, fused, worlds.SOFT) for fused in (worlds.LOGGING, worlds.TARGET)]
    sample = compared(logged, *sides, places=3, draws=4, seed=0)
    np.testing.assert_array_equal(sample.has.sum(axis=1), shown)
    assert not sample.rewards[~sample.has].any()
    ratios = np.where(sample.has, sample.target / sample.logging, 1.0).prod(axis=1)
    assert estimate(sample, "list_ips").value.value == pytest.approx((ratios * sample.observed).mean())
    third = sample.has[:, 2]
    weights = sample.target_at[third, 2] / sample.logging_at[third, 2]
    expected = (weights * sample.rewards[third, 2]).sum() / weights.sum() * third.mean()
    assert estimate(sample, "place_snips").by_place[2].value == pytest.approx(expected)
