"""ISO 8601 dates and times in text: accepted forms, the same in logs and requests, and parsing.

A date, or a date and a time with hours, minutes and optional seconds with a fraction; without a time zone it is UTC.
``T`` or a space separates date and time, and a space may precede the zone.
"""

import re
from datetime import UTC, datetime, timedelta

DAY_MS = 86_400_000
"""Milliseconds of a UTC day."""
_ZONE = r"( ?([Zz]|UTC|[+-]\d{2}(:?\d{2})?))?"
_EXTENDED = r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?" + _ZONE + ")?"
_BASIC = r"\d{8}[Tt]\d{4}(\d{2}([.,]\d+)?)?" + _ZONE
FORM = f"^({_EXTENDED}|{_BASIC})$"
"""Accepted forms: 2024-01-09, 2024-01-09T18:30:00.5Z, 2024-01-09 18:30 +02:00, 20240109T183000Z and the like."""
PLAIN = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
"""Forms that need none of the :data:`REWRITES`."""
REWRITES = (
    (r"^(\d{4})(\d{2})(\d{2})[Tt](\d{2})(\d{2})", r"\1-\2-\3T\4:\5"),
    (r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(\d{2})", r"\1:\2"),
    (r"^(.{10})[t ]", r"\1T"),
    (r",", "."),
    (r"(\.\d{6})\d+", r"\1"),
    (r" ?([Zz]|UTC)$", "Z"),
    (r" ([+-][0-9:]+)$", r"\1"),
)
"""Patterns and replacements that convert text to the plain form; digits beyond microseconds are cut off.

These and the patterns above mean the same in Python's ``re`` and in PyArrow's RE2.
"""
_COMPILED = re.compile(FORM, re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(text: str) -> int:
    """Parse text to microseconds since 1970-01-01 UTC. Raises ``ValueError`` for other forms and invalid dates."""
    if not _COMPILED.fullmatch(text):
        raise ValueError("it is not in an accepted form")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = datetime.fromisoformat(_plain(text))
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return (time - _EPOCH) // _MICROSECOND


def _plain(text: str) -> str:
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text, flags=re.ASCII)
    return text
