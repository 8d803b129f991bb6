import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import Log
from tests.training.conftest import quick
from tests.training.stored import file_of
from training.data.split.checks import cautions, torn
from training.data.split.held_out import split

ROWS = 4000
FRAME = pd.DataFrame({"at": np.arange(ROWS), "list": np.arange(ROWS) // 10, "row": np.arange(ROWS)})
AT_RANDOM = {"by": "random", "fraction": 0.25}


def experiment(folder, rule, group_by=None):
    return quick(folder, data={"split": rule}, evaluation={"group_by": group_by, "bootstrap": 0})


def test_a_last_value_of_one_row_is_cautioned_with_what_to_write(tmp_path):
    (text,) = cautions(experiment(tmp_path, {"by": "time", "column": "at", "last": 1}), Log([file_of(FRAME)]), 3999, 1)
    assert "only 1 of 4,000 rows (0.03%) are held out: data.split.last: 1 counts distinct values of 'at'" in text
    assert "`unit: day`" in text


@pytest.mark.parametrize(("training", "validation"), [(40, 1), (90_000, 1000), (9000, 100)])
def test_few_rows_of_a_small_log_and_enough_of_a_large_one_need_no_caution(training, validation, tmp_path):
    rule = {"by": "time", "column": "at", "last": 1}
    assert cautions(experiment(tmp_path, rule), Log([file_of(FRAME)]), training, validation) == []


def test_groups_on_both_sides_of_a_random_split_are_counted(tmp_path):
    (text,) = cautions(experiment(tmp_path, AT_RANDOM, "list"), Log([file_of(FRAME)]), 3000, 1000)
    assert "100% of the validation groups (evaluation.group_by: list) also have training rows" in text
    assert "split: {by: group, column: list, fraction: 0.25}" in text
    for rule, group_by in (
        ({**AT_RANDOM, "by": "group", "column": "list"}, "list"),
        (AT_RANDOM, "row"),
        (AT_RANDOM, None),
        ({"by": "time", "column": "at", "fraction": 0.25}, "list"),
    ):
        assert cautions(experiment(tmp_path, rule, group_by), Log([file_of(FRAME)]), 3000, 1000) == []


def test_a_sample_of_many_groups_tells_their_share(tmp_path):
    frame = FRAME.assign(list=np.where(np.arange(ROWS) < ROWS // 2, np.arange(ROWS), np.arange(ROWS) // 20))
    rule = experiment(tmp_path, AT_RANDOM).data.split
    exact, sampled = (torn(split(Log([file_of(frame)]), rule, 0), "list", most) for most in (1 << 20, 100))
    assert 0.1 < exact < 0.3
    assert sampled == pytest.approx(exact, abs=0.15)
