"""Which plain numbers can be microseconds since 1970."""

import numpy as np
import pytest

from ranker.encoding.plain_times import FAR, NEAR, PlainTimes, looks_like

DAY = 86_400_000_000
YEAR_2024 = 1_704_067_200_000_000
YEAR_9999 = 253_402_214_400_000_000


def of(*times):
    plain = PlainTimes()
    plain.add(np.array(times, dtype=np.int64))
    return plain


def taken(plain, value):
    """Whether a number is taken: alone, and in arrays of every type that can hold it."""
    alone = plain.told(value) is None
    for kind in (np.int8, np.int32, np.int64, np.uint64, np.float64):
        if kind == np.float64 or (value == int(value) and np.iinfo(kind).min <= value <= np.iinfo(kind).max):
            wrong = plain.wrong(np.array([0, value], dtype=kind))
            assert wrong.tolist() == [False, not alone], kind
    return alone


@pytest.mark.parametrize("value", [0, YEAR_2024, YEAR_2024 + 0.5, 631_152_000_000_000, -DAY * 20_000, NEAR, YEAR_9999])
def test_what_can_only_be_microseconds_is_taken_whatever_training_had(value):
    assert taken(of(*range(YEAR_2024, YEAR_2024 + 100)), value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (19_737, "this looks like days"),
        (473_700, "this looks like hours"),
        (1_706_745_600, "this looks like seconds"),
        (1_706_745_600.25, "this looks like seconds"),
        (1_706_745_600_000, "this looks like milliseconds"),
        (1_706_745_600_000_000_000, "this looks like nanoseconds"),
        (1, "this is within four months of 1970-01-01, where training had no such time"),
        (-1, "this is within four months of 1970-01-01, where training had no such time"),
        (2024, "this is within four months of 1970-01-01, where training had no such time"),
        (10**20, "this is beyond the year 9999"),
        (-FAR - 2**10, "this is beyond the year 9999"),
    ],
)
@pytest.mark.parametrize("stand_in", [(), (0,), (YEAR_9999,), (0, YEAR_9999), (3_600_000_000,)])
def test_another_unit_is_told_whatever_stands_in_for_never(value, told, stand_in):
    plain = of(*range(YEAR_2024, YEAR_2024 + 50 * DAY, DAY), *stand_in * 40)
    assert plain.told(value) == told
    assert not taken(plain, value)


def test_a_stand_in_near_1970_is_taken_and_its_neighbours_are_not():
    plain = of(*[YEAR_2024] * 60, *[3_600_000_000] * 40)
    assert taken(plain, 3_600_000_000)
    assert not taken(plain, 3_600_000_001)
    assert not taken(plain, 1_800_000_000)
    assert not taken(plain, 7_200_000_000)


def test_a_few_times_near_1970_are_taken_for_mistakes():
    mistaken = range(1_706_745_600, 1_706_745_602)
    assert taken(of(*[YEAR_2024] * 1998, *mistaken), 1_706_745_601)
    assert not taken(of(*[YEAR_2024] * 1999, *mistaken), 1_706_745_601)


def test_dates_about_1970_are_told_from_seconds_by_their_step():
    birthdays = of(*range(-20 * 365 * DAY, 35 * 365 * DAY, DAY))
    assert birthdays.step == DAY
    assert taken(birthdays, 30 * DAY)
    assert taken(birthdays, -DAY)
    assert not taken(birthdays, 986_000_000)  # 2001 in seconds
    assert not taken(birthdays, 986_000_000_000)


def test_where_most_times_are_near_1970_every_number_can_be_one():
    plain = of(*range(1000, 5000, 7), YEAR_2024)
    assert taken(plain, 6000)
    assert taken(plain, 1)


def test_times_beyond_the_year_9999_widen_what_is_taken():
    assert taken(of(2 * FAR), FAR + 2**10)
    assert taken(of(-2 * FAR), FAR + 2**10)
    assert not taken(of(2 * FAR), 3 * FAR)


def test_chunks_make_no_difference():
    random = np.random.default_rng(0)
    times = np.concatenate([random.integers(-NEAR, NEAR, 20) * 6, random.integers(0, 2 * FAR, 20), np.zeros(3, int)])
    random.shuffle(times)
    chunked = PlainTimes()
    for part in np.split(times, [0, 5, 5, 17, 40]):
        chunked.add(part)
    assert chunked == of(*times)
    assert PlainTimes(**chunked.state()) == chunked


def test_missing_values_are_not_refused():
    assert not of(YEAR_2024).wrong(np.array([np.nan, 0.0])).any()
    assert of(YEAR_2024).wrong(np.array([np.inf, -np.inf])).all()


def test_units_are_of_the_years_1980_to_2100():
    assert looks_like(3652) == "this looks like days"  # 1980-01-01
    assert looks_like(3651) is None
    assert looks_like(4_102_444_800) == "this looks like seconds"  # 2100-01-01
    assert looks_like(4_102_444_801) is None
