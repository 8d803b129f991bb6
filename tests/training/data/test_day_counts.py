import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG
from tests.training.stored import file_of
from training.config.daily import Daily
from training.config.experiment import checked
from training.data.day_counts import DayCounts
from training.data.days import DayClock
from training.data.experiment_log import open_log


def counted(values, dropped=()):
    """First and last day of rows, in three chunks."""
    experiment = checked({**CONFIG, "daily": Daily(day="at")})
    clock = DayClock(experiment, 0)
    counts = DayCounts(clock)
    size = -(-len(values) // 3)
    log = open_log(
        experiment, [file_of(pd.DataFrame({"at": values[i : i + size]})) for i in range(0, len(values), size)]
    )
    row = 0
    for chunk in log.chunks(["at"]):
        kept = ~np.isin(np.arange(row, row + chunk.rows), dropped)
        counts.add(chunk, kept, clock.of(chunk)[kept])
        row += chunk.rows
    days = counts.days()
    return days.first, days.last


DATES = [f"2026-01-{1 + i % 9:02}" for i in range(300)]


def test_first_and_last_day_are_those_of_kept_rows():
    assert counted(DATES) == (20454, 20462)
    assert counted([*DATES[1:], "2099-01-01"], dropped=[299]) == (20454, 20462)


@pytest.mark.parametrize("far", ["2099-01-01", "2027-01-11"])
def test_a_single_row_more_than_a_year_after_the_others_is_named(far):
    values = list(DATES)
    values[120] = far
    with pytest.raises(
        DataError,
        match=rf"row 20, column 'at': {far} lies more than 366 days after 2026-01-09, .* as do 1 of 300 rows",
    ):
        counted(values)


def test_up_to_one_row_in_a_hundred_is_few_and_the_last_of_them_is_named():
    values = list(DATES)
    values[10:12], values[13] = ["2050-05-05", "2099-01-01"], "2050-05-06"
    with pytest.raises(DataError, match=r"row 11, column 'at': 2099-01-01 .* after 2026-01-09, .* 3 of 300 rows"):
        counted(values)
    values[10:14] = ["2050-05-05"] * 4
    assert counted(values)[1] == 29344


def test_a_year_without_rows_is_no_mistake_nor_are_days_in_the_past():
    assert counted([*DATES, "2027-01-10"])[1] == 20828
    assert counted([*DATES, "1970-01-01"])[0] == 0


def test_numbers_of_dates_and_counters_are_judged_alike():
    numbers = [int(date.replace("-", "")) for date in DATES]
    with pytest.raises(DataError, match=r"column 'at': 20990101 lies more than"):
        counted([*numbers, 20990101])
    assert counted(list(range(0, 300_000, 100))) == (0, 299_900)
