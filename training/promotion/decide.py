"""Compares two versions on paired rows, and decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.config.promotion import Bounds
from training.promotion.latency import latency
from training.promotion.measures import Lists, families
from training.promotion.rankings import RankingShift, ranking_shifts
from training.promotion.resampling import Drawn, Estimate, Family, gain, resampled, unheard
from training.promotion.rows import PairedRows
from training.promotion.slices import Slice, slices_of
from training.promotion.soundness import Reason, comparable, rankable, unsound
from training.promotion.verdict import Check, count_tests, judged, reversed_scores


@dataclass(frozen=True)
class Difference:
    """A measure of both versions, on all rows or on a slice.

    Attributes
    ----------
    name, slice
        What is measured on which rows; ``None``: on all.
    new, old
        Both versions' values; ``None`` if undefined.
    gain, low, high
        How much better the new one is, and the interval of that at the level of one test; ``None`` if undefined.
    """

    name: str
    slice: str | None
    new: float | None
    old: float | None
    gain: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Decision:
    """Whether the new version may take the old one's place, and all that this rests on.

    Attributes
    ----------
    promoted
        Whether no bound is broken, and there is no other reason against it.
    reasons
        Reasons other than bounds, such as constant scores.
    checks
        Every limit that was tested.
    differences
        Every measure of both versions.
    rankings
        How far rankings differ.
    notes
        What the versions do not have in common, and what could not be measured.
    rows, units, grouped
        Numbers of rows and of resampled units, and whether these are groups.
    slices
        Number of rows by slice.
    level, tests
        Probability of a false alarm over all tests, and their number.
    """

    promoted: bool
    reasons: Sequence[Reason]
    checks: Sequence[Check]
    differences: Sequence[Difference]
    rankings: Sequence[RankingShift]
    notes: Sequence[str]
    rows: int
    units: int
    grouped: bool
    slices: Mapping[str, int]
    level: float
    tests: int

    @property
    def failed(self) -> list[Check]:
        """Checks that speak against the promotion."""
        return [check for check in self.checks if check.refuses]

    @property
    def why(self) -> list[str]:
        """One line per reason and failed check."""
        return [*map(str, self.reasons), *map(str, self.failed)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **{name: getattr(self, name) for name in ("promoted", "rows", "units", "grouped", "level", "tests")},
            "reasons": [asdict(reason) for reason in self.reasons],
            "checks": [asdict(check) for check in self.checks],
            "differences": [asdict(difference) for difference in self.differences],
            "rankings": [asdict(shift) for shift in self.rankings],
            "slices": dict(self.slices),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class How:
    """How versions are compared: level of false alarms, resamples B, least rows of a slice, seed, timed engine."""

    level: float
    resamples: int
    slice_rows: int
    seed: int
    engine: str = "auto"


def decide(
    rows: PairedRows, bounds: Bounds, by: Sequence[str], how: How, progress: Callable[[int], None] = unheard
) -> Decision:
    """Measure both versions on the rows and on slices ``by`` columns, and test the bounds."""
    reasons, theirs = unsound(rows.new), unsound(rows.old)
    notes = [*rows.notes, *(f"old version: {reason}" for reason in theirs)]
    tasks = comparable(rows, [*reasons, *theirs])
    lists = _lists(rows, notes) if rankable(reasons) and rankable(theirs) else None
    slices: list[Slice] = []
    for column in by:
        found, lumped = slices_of(column, rows.columns[column], how.slice_rows)
        slices += found
        notes += lumped
    whole, *parts = _measured(rows, tasks, lists, slices, bounds, how, progress)
    if rankable(reasons) and rankable(theirs):
        whole.append(latency(rows.new, rows.old, how.engine, how.resamples, how.seed))
    tests = count_tests(bounds, whole, parts)
    checks = judged(bounds, whole, how.level, tests)
    for one, part in zip(slices, parts, strict=True):
        checks += judged(bounds, part, how.level, tests, one.name)
    for name in reversed_scores(whole, how.level / tests):
        text = f"{name} is clearly below 0.5, where the old version's is above: its scores are reversed"
        reasons.append(Reason("reversed", name.rpartition(".")[0], text))
    if not reasons and all(check.state == "undefined" for check in checks):
        reasons.append(Reason("undecided", None, "no bound could be checked on these rows"))
    named = [(None, whole), *((one.name, part) for one, part in zip(slices, parts, strict=True))]
    return Decision(
        promoted=not reasons and not any(check.refuses for check in checks),
        reasons=reasons,
        checks=checks,
        differences=[_difference(one, where, how.level / tests) for where, found in named for one in found],
        rankings=ranking_shifts(rows, tasks, lists, how.seed),
        notes=notes,
        rows=len(rows),
        units=rows.unit_count,
        grouped=rows.groups is not None,
        slices={one.name: one.rows for one in slices},
        level=how.level,
        tests=tests,
    )


def _lists(rows: PairedRows, notes: list[str]) -> Lists | None:
    """Lists of the rows, if there is any of two rows; a fusion that cannot rank them is noted."""
    if rows.groups is None:
        return None
    counts = np.bincount(rows.units[rows.in_group], minlength=1)
    if counts.max() < 2:
        notes.append("no group has two rows, so there is no ranking to compare")
        return None
    return Lists(rows)


def _measured(
    rows: PairedRows,
    tasks: Sequence[str],
    lists: Lists | None,
    slices: Sequence[Slice],
    bounds: Bounds,
    how: How,
    progress: Callable[[int], None],
) -> list[list[Drawn]]:
    """Measures on all rows, then on each slice, on the same resamples."""
    parts = [families(rows, tasks, lists, mask, bounds) for mask in (None, *(one.mask for one in slices))]
    flat: list[Family] = [family for part in parts for family in part]
    drawn = iter(resampled(flat, rows.unit_count, how.resamples, how.seed, progress))
    return [[one for _ in part for one in next(drawn)] for part in parts]


def _difference(drawn: Drawn, where: str | None, tail: float) -> Difference:
    estimate: Estimate = gain(drawn)
    low, high = estimate.ends(tail)
    numbers = (drawn.new, drawn.old, estimate.value, low, high)
    new, old, better, low_, high_ = (value if np.isfinite(value) else None for value in numbers)
    return Difference(drawn.name, where, new, old, better, low_, high_)
