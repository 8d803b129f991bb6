"""Lengths of time as text."""

from datetime import timedelta

import pytest

from training.config.duration import duration, written


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), (" 1.5 h ", 5400), ("2d", 172_800), ("0.5s", 0.5)]
)
def test_lengths_and_their_shortest_form(text, seconds) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert duration(written(duration(text))) == duration(text)


def test_the_shortest_form_has_the_largest_whole_unit() -> None:
    assert [written(timedelta(seconds=n)) for n in (1, 60, 90, 7200, 86400)] == ["1s", "1m", "90s", "2h", "1d"]


@pytest.mark.parametrize("text", ["30", 30, "", "-1m", "0s", "1w", "1h30m", "9999d", None])
def test_other_texts_are_refused(text) -> None:
    with pytest.raises(ValueError, match=r"must be a(bove 0| number)"):
        duration(text)
