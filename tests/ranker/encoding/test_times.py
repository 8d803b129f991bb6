"""Which features had times in training, and which values are accepted as times later."""

import numpy as np
import pytest

from ranker.encoding import ColumnError, EncoderFitter, Ragged, Text, from_state, to_state
from ranker.encoding.time_range import TimeRange
from ranker.encoding.times import Times
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "context": {"visits": {"kind": "sequence", "shares": "day"}},
        "candidate": {
            "day": {"kind": "categorical"},
            "days": {"kind": "multi"},
            "when": {"kind": "numeric"},
            "price": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}},
    }
)
WHEN = np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[us]")
LISTS = Ragged(WHEN, np.array([0, 2, 2, 3]))
ROWS = {"visits": LISTS, "day": WHEN, "days": LISTS, "when": WHEN, "price": np.array([1.0, 2.0, np.nan])}
JANUARY = 1_704_067_200_000_000
"""Microseconds of 2024-01-01."""


def learnt(*chunks):
    times = Times()
    for chunk in chunks:
        times.learn(SCHEMA, chunk)
    return times


def test_times_are_recorded_per_vocabulary():
    times = learnt(ROWS)
    assert times.dated == {"day": True, "days": True, "when": True, "price": False}
    assert set(times.plain) == {"day", "days", "when"}
    assert times.plain["when"].count == 2
    assert times.plain["day"].count == 4  # and those of the sequence
    assert times.plain["when"].extent == JANUARY + 2 * 86_400_000_000


@pytest.mark.parametrize(
    "column", [[1.5, None, 2.5], np.array([np.nan, 3.0, 1.0]), Text.of(["2024-01-01", None, None])]
)
def test_times_do_not_mix_with_numbers_or_text(column):
    other = {**ROWS, "when": column}
    with pytest.raises(ColumnError, match=r"column 'when', row [01]: .* is not a time, as in other training rows"):
        learnt(ROWS, other)
    with pytest.raises(ColumnError, match="is not a time"):
        learnt(ROWS).check(SCHEMA, other, numbers=False)
    with pytest.raises(ColumnError, match=r"row 0: '2024-01-01T00:00:00.000000' is not a number or text"):
        learnt({**ROWS, "when": [1, 2, 3]}, ROWS)


def test_columns_without_values_do_not_determine_the_type():
    for nothing in ([None] * 3, np.full(3, np.nan), np.full(3, np.datetime64("NaT", "us"))):
        assert learnt({**ROWS, "when": nothing}, ROWS).dated["when"]
        assert not learnt({**ROWS, "when": nothing}, {**ROWS, "when": [1, 2, 3]}).dated["when"]
        learnt(ROWS).check(SCHEMA, {**ROWS, "when": nothing}, numbers=True)


@pytest.mark.parametrize("values", [np.array([JANUARY, 0, 1]), np.array([JANUARY, 0.0, np.nan])])
def test_numbers_are_accepted_as_times_in_microseconds(values):
    times = learnt(ROWS)
    times.check(SCHEMA, {"when": np.where(values == 1, 631_152_000_000_000, values)}, numbers=True)  # 1990
    masked = np.ma.MaskedArray([JANUARY, 5, 0], [False, True, False])
    times.check(SCHEMA, {"when": masked, "days": Ragged(masked, np.array([0, 1, 1, 3]))}, numbers=True)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"when": np.array([JANUARY, 1704067200])}, "'when', row 1: 1704067200 is not .*; this looks like seconds"),
        ({"when": np.array([JANUARY, 19737.5])}, r"'when', row 1: 19737\.5 is not .*; this looks like days"),
        ({"when": np.array([0, 0, 7], np.int8)}, "'when', row 2: 7 is not .*; this is within four months of 1970"),
        ({"when": np.array([False, True])}, "'when', row 0: False is not a time"),
        ({"day": np.array([0, 473_700])}, "'day', row 1: 473700 is not .*; this looks like hours"),
        ({"days": Ragged(np.array([0, 0, 9]), np.array([0, 2, 3]))}, "'days', row 1: 9 is not in microseconds"),
        ({"visits": Ragged(np.array([1e12]), np.array([0, 0, 1]))}, "'visits', row 1: .* looks like milliseconds"),
    ],
)
def test_numbers_in_another_unit_are_rejected_with_their_row(columns, told):
    with pytest.raises(ColumnError, match=told):
        learnt(ROWS).check(SCHEMA, columns, numbers=True)


def test_the_state_keeps_the_rules_for_numbers_as_times():
    fitter = EncoderFitter(SCHEMA)
    fitter.add(ROWS, np.zeros((3, 1)), np.ones((3, 1), dtype=bool), np.zeros(3, dtype=np.int64))
    encoder = fitter.fitted()
    state, arrays = to_state(encoder)
    again = from_state(SCHEMA, state, arrays)
    assert again.temporal == {"visits", "day", "days", "when"}
    assert again.times.plain == encoder.times.plain
    assert again.guard("visits") == again.guard("day") == encoder.times.plain["day"]
    del state["plain_times"]  # as in artifacts made before
    before = from_state(SCHEMA, state, arrays)
    assert before.temporal == again.temporal
    assert isinstance(before.guard("when"), TimeRange)
    assert before.guard("day") is None
    before.times.check(SCHEMA, {"when": np.array([5])}, numbers=True)
