"""Content negotiation: request and answer formats from ``Content-Type`` and ``Accept``. RFC 9110, 8.3 and 12.5.1."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from serving.protocol.errors import Refusal
from serving.protocol.formats.base import JSON, READERS, WRITERS

LONGEST = 1000
"""Most characters of a header that are parsed; no client needs more."""


class Exchange(NamedTuple):
    """Media types of the request and of its answer."""

    reads: str = JSON
    writes: str = JSON


def agreed(content_type: str | None, accept: str | None) -> Exchange:
    """The formats that the headers ask for, JSON by default. Raises ``Refusal`` (415 or 406), listing the formats."""
    if content_type is None and accept in (None, "*/*"):
        return Exchange()
    reads, writes = _reader(content_type or JSON), _writer(accept or "*/*")
    if reads is None:
        reason = f"must be one of {', '.join(_ordered(READERS))}; got {content_type!r:.80}"
        raise Refusal(415, "invalid", "header Content-Type", reason)
    if writes is None:
        reason = f"must allow one of {', '.join(_ordered(WRITERS))}; got {accept!r:.80}"
        raise Refusal(406, "invalid", "header Accept", reason)
    return Exchange(reads, writes)


@lru_cache(maxsize=256)
def _reader(content_type: str) -> str | None:
    name, _ = _parsed(content_type[:LONGEST])
    return name if name in READERS else None


@lru_cache(maxsize=256)
def _writer(accept: str) -> str | None:
    """The writer with the highest quality; ties go to the first range in the header, then to JSON."""
    ranges = [_parsed(part) for part in accept[:LONGEST].split(",") if part.strip()]
    acceptable: list[tuple[float, int, str]] = []
    for writer in _ordered(WRITERS):
        name, parameters = _parsed(writer)
        matching = [
            (_precision(wanted, needs), -place, _quality(needs))
            for place, (wanted, needs) in enumerate(ranges)
            if wanted in (name, f"{name.split('/')[0]}/*", "*/*") and _needed(needs).items() <= parameters.items()
        ]
        if matching:
            _, place, quality = max(matching)
            if quality > 0:
                acceptable.append((quality, place, writer))
    return max(acceptable, key=lambda each: each[:2])[2] if acceptable else None


def _ordered(names: Iterable[str]) -> list[str]:
    """JSON first, as the default."""
    return sorted(names, key=lambda name: name != JSON)


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """A media type or range and its parameters, in lower case."""
    name, *rest = text.lower().split(";")
    pairs = (part.partition("=") for part in rest if part.strip())
    return name.strip(), {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _needed(parameters: dict[str, str]) -> dict[str, str]:
    """Parameters that a writer must have, without the quality and UTF-8, which all of them write."""
    return {k: v for k, v in parameters.items() if k != "q" and (k, v) != ("charset", "utf-8")}


def _precision(wanted: str, parameters: dict[str, str]) -> tuple[bool, bool, int]:
    """Precision of a media range; the most precise matching range decides."""
    return wanted != "*/*", not wanted.endswith("/*"), len(_needed(parameters))


def _quality(parameters: dict[str, str]) -> float:
    try:
        quality = float(parameters.get("q", 1))
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
