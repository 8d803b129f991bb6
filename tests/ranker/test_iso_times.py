import re
from datetime import UTC, datetime

import pytest

from ranker.iso_times import FORM, PLAIN, REWRITES, microseconds

FORMS = {
    "2024-01-09": "2024-01-09T00:00:00",
    "2024-01-09T18:30": "2024-01-09T18:30:00",
    "2024-01-09 18:30:05": "2024-01-09T18:30:05",
    "2024-01-09t18:30:05z": "2024-01-09T18:30:05",
    "2024-01-09T18:30:05.25Z": "2024-01-09T18:30:05.250000",
    "2024-01-09T18:30:05,25Z": "2024-01-09T18:30:05.250000",
    "2024-01-09T18:30:05.123456789": "2024-01-09T18:30:05.123456",
    "2024-01-09 18:30:05.123456789 +02:00": "2024-01-09T16:30:05.123456",
    "2024-01-09T18:30:05+02:00": "2024-01-09T16:30:05",
    "2024-01-09 18:30:05-0530": "2024-01-10T00:00:05",
    "2024-01-09 18:30:05 +02": "2024-01-09T16:30:05",
    "2024-01-09 18:30:05 UTC": "2024-01-09T18:30:05",
    "2024-01-09 18:30 Z": "2024-01-09T18:30:00",
    "20240109T183005Z": "2024-01-09T18:30:05",
    "20240109t1830": "2024-01-09T18:30:00",
    "20240109T183005.5 +0200": "2024-01-09T16:30:05.500000",
    "0001-01-01": "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999": "9999-12-31T23:59:59.999999",
}
"""Text, and the instant of UTC that it is."""
OTHER_FORMS = [
    "", "2024", "2024-01", "2024-1-9", "20240109", "2024-W02-1", "2024-009", "2024-01-09T", "2024-01-09T18",
    "2024-01-09T18:30:05 PST", "2024-01-09Z", "2024-01-09  18:30", "2024-01-09T1830", "20240109 183005", "18:30",
    "2024-01-09T18:30:05+2", "\uff12\uff10\uff12\uff14-01-09", "2024-01-09\n",
]  # fmt: skip
NO_DAY = ["2024-13-01", "2024-02-30", "2023-02-29T00:00Z", "2024-01-09T25:00", "20240230T000000Z"]


def instant(text):
    return round(
        (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6
    )


@pytest.mark.parametrize("text", [text for text in FORMS if not text.startswith(("0001", "9999"))])
def test_each_form_is_an_instant_of_utc(text):
    assert microseconds(text) == instant(FORMS[text])


@pytest.mark.parametrize("text", OTHER_FORMS)
def test_another_form_is_refused(text):
    with pytest.raises(ValueError, match="not in an accepted form"):
        microseconds(text)


@pytest.mark.parametrize("text", NO_DAY)
def test_what_is_no_time_of_the_calendar_is_refused(text):
    with pytest.raises(ValueError, match=r"must be in|out of range|Invalid|invalid"):
        microseconds(text)


@pytest.mark.parametrize("text", FORMS)
def test_rewrites_end_in_the_plain_form_and_leave_it_as_it_is(text):
    assert re.fullmatch(FORM, text)
    for _ in range(2):
        for pattern, replacement in REWRITES:
            text = re.sub(pattern, replacement, text)
        assert re.fullmatch(PLAIN, text)
