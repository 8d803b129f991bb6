"""Lengths of time in configs and options: ``90s``, ``30m``, ``12h``, ``2d``."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd])")
LONGEST = timedelta(days=3650)


def duration(text: Any) -> timedelta:
    """Parse a length of time above 0. Raises ``ValueError``."""
    if isinstance(text, timedelta):
        return text
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"must be a number and s, m, h or d, such as 90s, 30m, 12h or 2d, got {text!r:.80}")
    seconds = float(found["number"]) * SECONDS[found["unit"]]
    if not 0 < seconds <= LONGEST.total_seconds():
        raise ValueError(f"must be above 0 and at most {LONGEST.days}d, got {text!r:.80}")
    return timedelta(seconds=seconds)


def written(length: timedelta) -> str:
    """The shortest form of a length of time that :func:`duration` takes: ``90s``, ``2h``."""
    seconds = length.total_seconds()
    unit = next((unit for unit in "dhm" if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0), "s")
    return f"{seconds / SECONDS[unit]:g}{unit}"


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*[smhd]$", "examples": ["30m"]}),
]
"""Text that :func:`duration` takes."""
