"""Lengths of time as text."""

from datetime import timedelta

import pytest

from training.config.duration import duration, written


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        (" 30m ", timedelta(minutes=30)),
        ("1.5 h", timedelta(hours=1, minutes=30)),
        ("2d", timedelta(days=2)),
    ],
)
def test_lengths_are_read_and_written(text, length):
    assert duration(text) == length
    assert duration(written(length)) == length
    assert duration(length) is length


def test_the_shortest_form_is_written():
    lengths = (timedelta(seconds=90), timedelta(hours=48), timedelta(minutes=120), timedelta(seconds=0.5))
    assert [written(length) for length in lengths] == ["90s", "2d", "2h", "0.5s"]


@pytest.mark.parametrize("text", ["", "30", "m", "-1m", "0s", "5 weeks", "1e9d", "9999d", None, 30])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        duration(text)
