"""Whether a store that fails is tried again."""

import logging

import pytest

from serving.features.circuit_breaker import FAILURES, PAUSE, CircuitBreaker


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until it is moved."""
    clock = [100.0]
    monkeypatch.setattr("serving.features.circuit_breaker.time.monotonic", lambda: clock[0])
    return clock


def test_after_failures_in_a_row_one_caller_tries_a_pause_later(now, caplog):
    caplog.set_level(logging.INFO, logger="ranker.serving")
    breaker = CircuitBreaker()
    for _ in range(FAILURES):
        assert breaker.closed()
        breaker.record(failed=True)
    assert not breaker.closed()
    now[0] += PAUSE
    assert [breaker.closed() for _ in range(3)] == [True, False, False]
    breaker.record(failed=False)
    assert [breaker.closed() for _ in range(3)] == [True] * 3
    assert [record.message for record in caplog.records] == ["users are not looked up", "users are looked up again"]


def test_failures_that_are_not_in_a_row_open_nothing(now):
    breaker = CircuitBreaker()
    for failed in [True, False] * FAILURES:
        breaker.record(failed=failed)
    assert breaker.closed()
