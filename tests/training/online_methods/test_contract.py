"""What every method of online search promises; a new entry of ``ONLINE_METHODS`` is tested here as it is."""

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from training.online_methods import ONLINE_METHODS, Judged, OnlineMethod, Points

START = np.array([0.5, 0.5, 0.5])
BEST = np.array([0.65, 0.4, 0.55])
NOISE = 0.01
SEEDS = {"gaussian_process": 2}
"""Searches of methods that take long over each; 6 of the others."""

every_method = pytest.mark.parametrize("name", list(ONLINE_METHODS))


def bowl(points: Points) -> Points:
    """Gains over the start [N], 0.035 at best."""
    return ((START - BEST) ** 2).sum() - ((points - BEST) ** 2).sum(axis=1)


def method(name: str, start: Points = START, **options: object) -> OnlineMethod:
    return ONLINE_METHODS[name](ONLINE_METHODS[name].Options.model_validate({"name": name, **options}), start)


def played(
    found: OnlineMethod, rounds: int, gain: Callable[[Points], Points] = bowl, seed: int = 0, noise: float = NOISE
) -> list[Judged]:
    """Rounds whose gains have errors; those of a set that is seen in all rounds shrink."""
    judged: list[Judged] = []
    for number in range(rounds):
        proposal = found.propose(judged, np.random.default_rng([seed, number]))
        count = len(proposal.points)
        error = np.full(count, noise / np.sqrt(number + 1 if found.keeps_units else 1))
        control = np.full(count, noise / 2)
        random = np.random.default_rng([seed, number, 1])
        gains = gain(proposal.points) + error * random.standard_normal(count) + control * random.standard_normal()
        judged.append(Judged(proposal.points, gains, error, control, np.zeros(count, dtype=bool)))
    return judged


@every_method
def test_sets_are_in_the_cube_and_shares_sum_to_one(name: str) -> None:
    found = method(name, sets=5)
    for judged in ([], played(found, 1), played(found, 3)):
        proposal = found.propose(judged, np.random.default_rng(0))
        assert proposal.points.shape == (5, 3)
        assert proposal.mean.shape == proposal.deviation.shape == (3,)
        assert ((proposal.points >= 0) & (proposal.points <= 1)).all()
        assert proposal.shares.sum() == pytest.approx(1.0)
        assert (proposal.shares > 0).all()
        assert len(np.unique(proposal.points, axis=0)) == 5


@every_method
def test_equal_random_numbers_give_equal_sets_and_others_do_not(name: str) -> None:
    first, again, other = (played(method(name), 3, seed=seed)[-1].points for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@every_method
def test_the_winner_is_better_than_today(name: str) -> None:
    gains = []
    for seed in range(SEEDS.get(name, 6)):
        found = method(name, sets=8)
        winner = found.winner(played(found, 5, seed=seed))
        gains.append(0.0 if winner is None else float(bowl(winner[None])[0]))
    assert np.mean(gains) > 0.004


@every_method
def test_sets_that_broke_a_guardrail_do_not_win(name: str) -> None:
    found = method(name, sets=8)
    judged = played(found, 4)
    stopped = [
        Judged(one.points, np.where(one.points[:, 0] > 0.5, np.nan, one.gains), one.noise, one.control_noise,
               one.points[:, 0] > 0.5)
        for one in judged
    ]  # fmt: skip
    winner = found.winner(stopped)
    assert winner is None or winner[0] <= 0.55
    proposal = found.propose(stopped, np.random.default_rng(9))
    assert np.isfinite(proposal.points).all()
    assert proposal.shares.sum() == pytest.approx(1.0)


@every_method
def test_a_round_of_which_nothing_is_known_changes_nothing_for_the_worse(name: str) -> None:
    found = method(name, sets=4)
    blank = Judged(played(found, 1)[0].points, *np.full((3, 4), np.nan), np.ones(4, dtype=bool))
    assert found.winner([blank]) is None
    proposal = found.propose([blank], np.random.default_rng(0))
    assert np.isfinite(proposal.points).all()
    assert proposal.shares.sum() == pytest.approx(1.0)


@every_method
def test_one_parameter_and_two_sets_are_enough(name: str) -> None:
    found = method(name, start=np.array([0.2]), sets=2)
    judged = played(found, 2, gain=lambda points: points[:, 0] - 0.2)
    assert found.propose(judged, np.random.default_rng(0)).points.shape == (2, 1)
    with pytest.raises(ValidationError, match="sets"):
        ONLINE_METHODS[name].Options.model_validate({"name": name, "sets": 1})


@every_method
def test_options_are_described(name: str) -> None:
    fields = ONLINE_METHODS[name].Options.model_fields
    assert fields["name"].default == name
    assert all(field.description for key, field in fields.items() if key != "name")
