import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import Log
from tests.training.conftest import quick
from tests.training.stored import file_of
from training.data.split.all_rows import AllRows
from training.data.split.held_out import split

ROWS = 40
FRAME = pd.DataFrame({"row": np.arange(ROWS), "list": np.arange(ROWS) // 4, "day": np.arange(ROWS) // 10})


def rows_of(chunks):
    return [row for chunk, mask in chunks for row in np.asarray(chunk.columns["row"])[mask].tolist()]


@pytest.mark.parametrize(
    "rule",
    [
        {"by": "time", "column": "day", "last": 1},
        {"by": "random", "fraction": 0.3},
        {"by": "group", "column": "list", "fraction": 0.3},
        {"by": "files", "paths": ["OTHER"]},
    ],
    ids=lambda rule: rule["by"],
)
def test_held_out_rows_are_trained_on_once_and_stay_those_to_validate_on(rule, tmp_path):
    other = tmp_path / "other.parquet"
    FRAME.assign(row=FRAME["row"] + ROWS)[:7].to_parquet(other)
    if rule["by"] == "files":
        rule = {**rule, "paths": [str(other)]}
    divided = split(Log([file_of(FRAME)]), quick(tmp_path, data={"split": rule}).data.split, 0)
    held_out = rows_of(divided.validation(["row"]))
    all_rows = AllRows(divided)
    assert held_out
    assert rows_of(all_rows.validation(["row"])) == held_out
    assert rows_of(all_rows.training(["row"])) == list(range(ROWS + (7 if rule["by"] == "files" else 0)))
