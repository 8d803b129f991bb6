import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG
from tests.training.stored import file_of
from training.config.daily import Daily
from training.config.experiment import checked
from training.data.days import DayClock
from training.data.experiment_log import open_log

DAY = 20096
"""2025-01-08, in days since 1970."""


def days(values, **changes):
    experiment = checked({**CONFIG, "daily": Daily(day="at"), **changes})
    clock = DayClock(experiment, 3)
    log = open_log(experiment, [file_of(pd.DataFrame({"at": values}))])
    return np.concatenate([clock.of(chunk) for chunk in log.chunks(["at"])]).tolist(), clock.unit


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["2025-01-08", "2025-01-09T23:59:59Z"], "times"),
        (pd.to_datetime(["2025-01-08T00:00:01", "2025-01-09T00:00:00"]), "times"),
        ([20250108, 20250109], "dates"),
        ([20250108.0, 20250109.0], "dates"),
        ([DAY * 86_400, (DAY + 2) * 86_400 - 1], "seconds"),
        ([DAY * 86_400_000 + 1.0, (DAY + 1) * 86_400_000.0], "milliseconds"),
        ([float(DAY), DAY + 1.9], "days"),
    ],
)
def test_a_time_column_of_any_form_gives_days(values, unit):
    assert days(values) == ([DAY, DAY + 1], unit)


def test_the_column_of_a_split_by_time_is_the_default():
    split = {"by": "time", "column": "at", "last": 1, "format": "%d.%m.%Y"}
    assert days(["08.01.2025", "09.01.2025"], daily={}, data={"split": split}) == ([DAY, DAY + 1], "times")


def test_without_a_column_each_fit_is_a_day():
    assert days(["a", "b"], daily={}) == ([3, 3], "fits")


def test_a_row_without_a_day_is_named():
    with pytest.raises(DataError, match="row 1, column 'at'"):
        days(["2025-01-08", None])


def test_a_number_that_is_no_date_among_dates_is_named():
    experiment = checked({**CONFIG, "daily": Daily(day="at")})
    clock = DayClock(experiment, 3)
    log = open_log(experiment, [file_of(pd.DataFrame({"at": [20250108, 20250109, 20250140, 20250201]}))])
    with pytest.raises(DataError, match="row 2, column 'at': 20250140 is not a date such as 20240109"):
        [clock.of(chunk) for chunk in log.chunks(["at"])]
