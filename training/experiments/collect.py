"""Sums by unit of an experiment's requests and events, in all and as they grew from day to day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ranker.iso_times import DAY_MS
from ranker.log_files.log_reader import DataError
from ranker.registry import alternatives
from training.experiments.events import Events
from training.experiments.latest import NONE, Ints
from training.experiments.metrics import VALUE, Metric, names_of
from training.experiments.requests import Period, Requests, named
from training.experiments.unit_sums import Floats, RatioSums, UnitSums
from training.exposures.keys import Keys


@dataclass(frozen=True)
class Assignment:
    """Who was in the experiment, and who was not.

    Attributes
    ----------
    units, requests
        By group, of the units that count.
    tangled
        Units that were in several groups; they do not count.
    nameless
        Requests in a group without a unit; they do not count.
    outside
        Requests in no group, by the reason in the log.
    others
        Requests in other experiments, by experiment.
    """

    units: dict[str, int]
    requests: dict[str, int]
    tangled: int
    nameless: int
    outside: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Collected:
    """Units of an experiment, with requests and events.

    Attributes
    ----------
    experiment
        Its name.
    groups
        Names of the groups, in alphabetical order.
    keys, group
        Key and group of each unit [U].
    assignment
        Who was in it.
    first, last
        Times of the first and the last request, in milliseconds since 1970.
    counted, counted_before
        The unit of each request of the log that counts, and of each in the period before; ``NONE`` of the others [R].
    """

    experiment: str
    groups: list[str]
    keys: Keys
    group: NDArray[np.intp]
    assignment: Assignment
    first: int
    last: int
    counted: Ints
    counted_before: Ints
    _requests: Requests
    _events: Events

    @property
    def hashed(self) -> bool:
        """Whether units are hashed."""
        return self._requests.hashed

    def totals(self, names: Sequence[str]) -> dict[str, Floats]:
        """Totals [U] of what formulas may name."""
        return self._summed(names, np.flatnonzero(self.counted != NONE), self.counted)

    def totals_before(self, names: Sequence[str]) -> dict[str, Floats]:
        """The same over the period before the experiment; 0 for units that were not there."""
        return self._summed(names, np.flatnonzero(self.counted_before != NONE), self.counted_before)

    def by_day(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, Floats]]]:
        """After each UTC day: the time of its last request, and totals [U] from the first day on.

        An event counts on the day of its request. Units that were not there yet have no ``users``.
        """
        counted = np.flatnonzero(self.counted != NONE)
        times = self._requests.times[counted]
        days = times // DAY_MS
        so_far = {name: np.zeros(len(self.keys)) for name in names}
        for day in np.unique(days).tolist():
            own = days == day
            added = self._summed([name for name in names if name != "users"], counted[own], self.counted)
            for name, values in added.items():
                so_far[name] = so_far[name] + values
            if "users" in so_far:
                so_far["users"] = np.maximum(
                    so_far["users"], self._summed(["users"], counted[own], self.counted)["users"]
                )
            yield int(times[own].max()), dict(so_far)

    def _summed(self, names: Sequence[str], rows: Ints, unit: Ints) -> dict[str, Floats]:
        """Totals [U] over some requests and their events."""
        count, units = len(self.keys), unit[rows]
        chosen = np.zeros(len(self._requests), dtype=bool)
        chosen[rows] = True
        kinds = names_of(self._events.names)
        events = self._events
        found = {}
        for name in names:
            if name in ("requests", "users"):
                sums = np.bincount(units, minlength=count).astype(np.float64)
                found[name] = np.minimum(sums, 1.0) if name == "users" else sums
            elif name == "impressions":
                found[name] = np.bincount(units, self._requests.returned[rows], minlength=count)
            else:
                code = events.names.index(kinds[name.removesuffix(VALUE)])
                own = (events.kinds == code) & chosen[events.requests]
                weights = events.values[own] if name.endswith(VALUE) else None
                found[name] = np.bincount(unit[events.requests[own]], weights, minlength=count).astype(np.float64)
        return found


def collect(
    requests: Requests, events: Events, period: Period, before: Period | None = None, experiment: str | None = None
) -> Collected:
    """Find the units of an experiment in a period; ``before`` is that of a covariate.

    Raises ``DataError`` if the log has no experiment, or several and none is named, or fewer than two groups.
    """
    inside = period.holds(requests.times)
    code, name, others = _experiment(requests, inside, experiment)
    here = inside & (requests.experiments == code)
    grouped = here & (requests.groups != NONE)
    members = grouped & requests.has_unit
    keys, units = np.unique(requests.units[members], return_inverse=True)
    groups = requests.groups[members].astype(np.int64)
    low, high = np.full(len(keys), np.iinfo(np.int64).max), np.full(len(keys), -1)
    np.minimum.at(low, units, groups)
    np.maximum.at(high, units, groups)
    clean = low == high
    names = requests.names["group"]
    used = sorted({names[group] for group in low[clean].tolist()})
    if len(used) < 2:
        raise DataError(_too_few_groups(name, used, members, grouped))
    place = np.array([used.index(text) if text in used else NONE for text in names], dtype=np.intp)
    kept_keys, kept_group = keys[clean], place[low[clean]]
    position = np.where(clean, np.cumsum(clean) - 1, NONE)
    unit = np.full(len(requests), NONE, dtype=np.int64)
    unit[members] = position[units]
    counted = requests.times[unit != NONE]
    reasons = requests.outsides[here & (requests.groups == NONE)]
    return Collected(
        experiment=name,
        groups=used,
        keys=kept_keys,
        group=kept_group,
        assignment=Assignment(
            units=_counted(used, kept_group),
            requests=_counted(used, kept_group[unit[unit != NONE]]),
            tangled=int((~clean).sum()),
            nameless=int((grouped & ~requests.has_unit).sum()),
            outside={
                _reason(requests, int(r)): int(n) for r, n in zip(*np.unique(reasons, return_counts=True), strict=True)
            },
            others=others,
        ),
        first=int(counted.min()),
        last=int(counted.max()),
        _requests=requests,
        _events=events,
        counted=unit,
        counted_before=_units_before(requests, before, kept_keys),
    )


def unit_sums(
    collected: Collected,
    metrics: Sequence[Metric],
    totals: Mapping[str, Floats] | None = None,
    covariates: Mapping[str, tuple[Floats, Floats]] | None = None,
) -> UnitSums:
    """Sums of metrics by unit, of ``totals`` (by default of the whole period), of the units that are there by then."""
    found = collected.totals(names_in(metrics)) if totals is None else totals
    there = found["users"] > 0
    present = {name: values[there] for name, values in found.items()}
    sums = {}
    for metric in metrics:
        before = (covariates or {}).get(metric.name)
        sums[metric.name] = RatioSums(
            *metric.sums(present), None if before is None else (before[0][there], before[1][there])
        )
    return UnitSums(collected.groups, collected.group[there], sums)


def names_in(metrics: Sequence[Metric]) -> list[str]:
    """What the metrics' formulas name, and ``users``."""
    return list(dict.fromkeys(["users", *(name for metric in metrics for name in metric.names)]))


def _experiment(requests: Requests, inside: NDArray[np.bool_], asked: str | None) -> tuple[int, str, dict[str, int]]:
    """Code and name of the experiment to judge, and requests of the others."""
    codes, counts = np.unique(requests.experiments[inside & (requests.groups != NONE)], return_counts=True)
    found = {requests.names["experiment"][code]: int(n) for code, n in zip(codes, counts, strict=True) if code != NONE}
    if not found:
        raise DataError("no request in this time was in a group of an experiment")
    if asked is None and len(found) > 1:
        raise DataError(f"the log holds several experiments: {named(found)}; name one with --experiment")
    name = asked or next(iter(found))
    if name not in found:
        raise DataError(f"no request was in the experiment {name!r}{alternatives(name, found, 'experiments')}")
    others = {other: count for other, count in found.items() if other != name}
    return requests.names["experiment"].index(name), name, others


def _too_few_groups(name: str, used: list[str], members: NDArray[np.bool_], grouped: NDArray[np.bool_]) -> str:
    if grouped.any() and not members.any():
        return f"no request of the experiment {name!r} has a unit, so what one user did cannot be told from the others'"
    only = f"only the group {used[0]!r}" if used else "no group"
    return f"{only} of the experiment {name!r} has units of its own; it takes a control and another group"


def _reason(requests: Requests, code: int) -> str:
    return "no reason given" if code == NONE else requests.names["outside"][code]


def _counted(names: Sequence[str], group: NDArray[np.intp]) -> dict[str, int]:
    return dict(zip(names, np.bincount(group, minlength=len(names)).tolist(), strict=True))


def _units_before(requests: Requests, before: Period | None, keys: Keys) -> Ints:
    found = np.full(len(requests), NONE, dtype=np.int64)
    if before is None:
        return found
    rows = np.flatnonzero(before.holds(requests.times) & requests.has_unit)
    at = np.minimum(np.searchsorted(keys, requests.units[rows]), len(keys) - 1)
    found[rows] = np.where(keys[at] == requests.units[rows], at, NONE)
    return found
