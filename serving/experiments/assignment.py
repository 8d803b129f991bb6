"""Assigns units to groups by hash, so no assignment has to be stored.

A unit (such as a user) is hashed with the experiment's salt to a point in [0, 1). Each group has a range of that line:
it begins where the shares of the groups before it end and is ``coverage`` times its share long, as in GrowthBook's SDKs
(docs.growthbook.io/lib/build-your-own). Raising the coverage therefore moves no unit between groups, and changing the
shares moves only the units between an old and a new boundary.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from serving.experiments.config import Experiment


def point(salt: str, unit: str) -> float:
    """Hash of a unit in [0, 1): the first 53 bits of BLAKE2b (RFC 7693), equal on every host and in every release."""
    digest = hashlib.blake2b(f"{salt}\0{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


class Split:
    """An experiment's traffic split: the range of each group."""

    def __init__(self, experiment: Experiment) -> None:
        self._salt = experiment.salt if experiment.salt is not None else experiment.name
        self._column, self._header = experiment.unit, experiment.header
        self._ranges: list[tuple[float, float, str]] = []
        begin = 0.0
        for name, group in experiment.groups.items():
            self._ranges.append((begin, begin + experiment.coverage * group.share, name))
            begin += group.share
        if experiment.coverage == 1:  # shares sum to 1 only up to rounding: extend the last range to 1
            last = max(i for i, (low, high, _) in enumerate(self._ranges) if high > low)
            self._ranges[last] = (self._ranges[last][0], 1.0, self._ranges[last][2])

    def group_of(self, unit: str) -> str | None:
        """The group of a unit, or ``None`` if the experiment does not cover it."""
        place = point(self._salt, unit)
        return next((name for begin, end, name in self._ranges if begin <= place < end), None)

    def unit_of(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
        """The unit of a request, or ``None`` if it names none. ``body`` is not yet checked.

        If the context omits the unit's column, the request's ``user`` is the unit. An integer and its text are the same
        unit: 7 and "7". Null and empty text name no unit.
        """
        if self._header is not None:
            return headers.get(self._header) or None
        return unit_in(body, self._column)


def unit_in(body: Mapping[str, Any], column: str | None) -> str | None:
    """The unit in a column of a request's context, or else its ``user``; ``None`` if it names none.

    ``body`` is not yet checked.
    """
    context = body.get("context") or {}
    value = context.get(column, body.get("user")) if isinstance(context, Mapping) else None
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
