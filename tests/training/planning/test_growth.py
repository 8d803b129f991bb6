import pytest

from tests.training.planning.made_up import costs
from tests.training.planning.test_plan import SMALL
from training.planning import growths
from training.planning.growth import FACTOR, GROWN, grown
from training.planning.limits import LIMITS, used


def by_input(inputs=SMALL):
    return {each.input: each for each in growths(inputs, costs())}


def test_limits_are_shares_of_what_there_is():
    found = used(SMALL, costs())
    assert found.keys() == LIMITS.keys()
    assert found["encoder memory"] == pytest.approx((5e8 + 5e6 * 1000) / 50e9)
    assert found["encoder pass"] == pytest.approx((1 + 86.4) / 36_000)
    assert found["join"] == pytest.approx((10 + 86.4) / 36_000)
    assert found["night's disk"] == pytest.approx(8.64e6 * 300 / 2e12)
    assert found["service memory"] == pytest.approx((3e9 + 5e6 * 140) / 50e9)
    assert found["request time"] == pytest.approx(2e-3 / 0.1)
    assert found["service network"] == pytest.approx(100 * 22_200 / 1 / 5e8)
    assert max(found.values()) < 1


def test_the_factor_is_where_the_limit_is_reached():
    large = SMALL.model_copy(update={"users": 3e7})  # 30.5 GB of ids, of 50 GB
    first = by_input(large)["users"]
    assert first.first == "encoder memory"
    assert first.at == pytest.approx((49.5e9 / 1000 - 1e6) / 3e7)
    at = used(grown(large, "users", first.at), costs())
    assert at["encoder memory"] == pytest.approx(1)
    assert all(share <= 1 for name, share in at.items() if name != "encoder memory")


def test_a_limit_that_does_not_hold_says_how_much_less_would():
    large = SMALL.model_copy(update={"users": 3e8})
    first = by_input(large)["users"]
    assert first.first == "encoder memory"
    assert first.at == pytest.approx((49.5e9 / 1000 - 1e6) / 3e8)


def test_others_follow_in_order():
    for each in growths(SMALL.model_copy(update={"users": 3e7, "deadline_ms": 5.0}), costs()):
        factors = [each.at or 0, *each.others.values()]
        assert factors == sorted(factors)
        assert all(factor <= FACTOR for factor in factors)


def test_longer_lists_break_the_deadline():
    slow = by_input(SMALL.model_copy(update={"deadline_ms": 5.0}))["candidates"]
    assert (slow.first, slow.at) == ("request time", pytest.approx(4))  # 1 ms + 400 x 10 us


def test_what_never_breaks_says_so():
    assert list(by_input()) == list(GROWN)
    calm = by_input()["peak_rps"]
    assert (calm.first, calm.at, calm.others) == (None, None, {})
    assert calm.money > 1


def test_growth_says_when_tables_need_servers():
    assert by_input(SMALL.model_copy(update={"users": 1e8}))["users"].distribute == "parameter_server"
    assert by_input()["users"].distribute == "one"
