"""When a silent worker counts as hung."""

import os
import subprocess
import sys

from serving.process.liveness import OVERLOADED, Liveness
from serving.process.procfs import Activity, activity, start_time

STOPPED = Activity(loop_seconds=3.0, seconds=9.0, runnable=False)


def seconds_until_hung(liveness, look, at_most=10_000):
    """Seconds of silence, in ticks of a quarter, after which a worker counts as hung."""
    for tick in range(1, at_most * 4):
        if liveness.is_hung(0.25, lambda: look(tick / 4)):  # noqa: B023
            return tick / 4
    return None


def serving():
    liveness = Liveness(hung_after=10, start_timeout=600, end_timeout=35)
    liveness.beat()
    return liveness


def test_one_that_does_nothing_is_hung_after_the_setting():
    assert seconds_until_hung(serving(), lambda _: STOPPED) == 10


def test_one_that_gets_no_cpu_time_is_given_longer():
    """It waits for a core on an overloaded machine, or gets a little time now and then."""
    starved = STOPPED._replace(runnable=True)
    assert seconds_until_hung(serving(), lambda _: starved) == 10 * OVERLOADED
    slow = seconds_until_hung(serving(), lambda at: Activity(3 + at * 0.05, 9 + at * 0.1, runnable=False))
    assert slow == 10 * OVERLOADED


def test_one_whose_event_loop_uses_a_whole_core_is_hung_after_so_much_cpu_time():
    assert seconds_until_hung(serving(), lambda at: Activity(at, at, runnable=True)) == 11  # asked from 1 s on
    assert seconds_until_hung(serving(), lambda at: Activity(at / 2, at, runnable=True)) == 21


def test_a_sign_of_life_begins_anew():
    liveness = serving()
    assert seconds_until_hung(liveness, lambda _: STOPPED, at_most=9) is None
    liveness.beat()
    assert seconds_until_hung(liveness, lambda _: STOPPED) == 10


def test_one_that_loads_or_ends_has_times_of_its_own():
    loading = Liveness(hung_after=10, start_timeout=600, end_timeout=35)
    assert seconds_until_hung(loading, lambda _: STOPPED) == 600
    ending = serving()
    ending.end()
    assert seconds_until_hung(ending, lambda _: STOPPED) == 35


def test_activity_of_a_process_and_of_none():
    assert activity(os.getpid()).runnable
    assert activity(os.getpid()).seconds >= activity(os.getpid()).loop_seconds > 0
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waiting:
        assert start_time(waiting.pid) >= start_time(os.getpid())
        waiting.communicate(b"\n")
    assert start_time(waiting.pid) is None
    assert activity(waiting.pid) is None
