"""Which hosts take a new version at once."""

from serving.registry.rollout import Rollout, jittered


def test_a_fraction_of_hosts_is_first_and_another_part_for_each_version():
    hosts = [f"ranker-{number}" for number in range(2000)]
    first = {version: {h for h in hosts if Rollout(0.2, host=h).is_first("main", version)} for version in (7, 8)}
    assert all(abs(len(found) / 2000 - 0.2) < 0.04 for found in first.values())
    assert abs(len(first[7] & first[8]) / 2000 - 0.04) < 0.02
    assert first[7] == {h for h in hosts if Rollout(0.2, host=h).is_first("main", 7)}


def test_all_or_none_are_first():
    assert all(Rollout(1.0, host=str(host)).is_first("main", 1) for host in range(50))
    assert not any(Rollout(0.0, host=str(host)).is_first("main", 1) for host in range(50))


def test_the_others_take_it_after_the_delay():
    now = [100.0]
    rollout = Rollout(0.0, delay=60, host="a", clock=lambda: now[0])
    assert not rollout.is_due("main", 7)
    now[0] += 30
    assert not rollout.is_due("main", 7)
    assert not rollout.is_due("main", 8)  # each version has a delay of its own
    now[0] += 30
    assert rollout.is_due("main", 7)
    assert not rollout.is_due("main", 8)


def test_looks_are_spread_over_time():
    times = [jittered(10) for _ in range(200)]
    assert 5 <= min(times) < 7
    assert 13 < max(times) <= 15
