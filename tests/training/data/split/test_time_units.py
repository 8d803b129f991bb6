import re

import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError, Log
from training.config.data import SplitByTime
from training.data.split.held_out import split
from training.data.split.time_units import unit_of

SECONDS = 1_704_067_200 + np.arange(50) * 3600  # 2024
RULE = SplitByTime(by="time", column="at", last=1)


def write(folder, name, values):
    frame = pd.DataFrame({"at": values})
    path = folder / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1.7e9, "seconds"),
        (1.7e12, "milliseconds"),
        (1.7e15, "microseconds"),
        (1.7e18, "nanoseconds"),
        (20240109, None),
        (500, None),
        (-1.7e9, None),
    ],
)
def test_the_unit_of_a_number(value, unit):
    assert unit_of(value) == unit


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("a.parquet", "b.parquet"), ("a.csv", "b.parquet")])
@pytest.mark.parametrize(
    ("factor", "unit"), [(1000, "milliseconds"), (10**6, "microseconds"), (1000.0, "milliseconds")]
)
def test_files_of_two_units_are_named_with_their_ranges(tmp_path, names, factor, unit):
    log = Log([write(tmp_path, names[0], SECONDS), write(tmp_path, names[1], SECONDS * factor)])
    told = (
        f"column 'at' looks like seconds since 1970 in {re.escape(str(tmp_path / names[0]))} "
        rf"\({SECONDS[0]} to {SECONDS[-1]}\) and like {unit} in .*{names[1]} \({SECONDS[0] * factor:.0f} to "
    )
    with pytest.raises(DataError, match=told):
        split(log, RULE, 0)


def test_a_few_wrong_values_and_numbers_of_no_epoch_are_no_unit(tmp_path):
    wrong = SECONDS.copy()
    wrong[0] = wrong[0] * 1000
    split(Log([write(tmp_path, "a.csv", SECONDS), write(tmp_path, "b.csv", wrong)]), RULE, 0)
    days = np.arange(50)
    split(Log([write(tmp_path, "c.csv", days), write(tmp_path, "d.csv", days + 10_000)]), RULE, 0)
