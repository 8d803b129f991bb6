import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ranker.log_files.log_reader import DataError, Log
from tests.training.splits import FRAME, ROWS, group, parts, time
from training.config.data import SplitAtRandom, SplitByFiles
from training.data.split.held_out import split


def test_at_random_by_the_seed():
    first, again, other = (parts(SplitAtRandom(by="random", fraction=0.25), seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first[0] + first[1]) == list(range(ROWS))
    assert len(first[1]) == pytest.approx(750, abs=80)


def test_whole_groups_are_held_out_by_the_seed():
    frame = FRAME.assign(list=np.arange(ROWS) % 500)
    first, again, other = (parts(group(column="list", fraction=0.2), frame, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first[0] + first[1]) == list(range(ROWS))
    assert not {row % 500 for row in first[0]} & {row % 500 for row in first[1]}
    assert len(first[1]) == pytest.approx(600, abs=120)


@pytest.mark.parametrize("lacking", [None, ""])
def test_a_row_without_a_group_is_named(lacking):
    frame = pd.DataFrame({"row": [1, 2], "list": ["a", lacking]})
    with pytest.raises(DataError, match=r"\.parquet, row 1, column 'list': no value to split by group on; remove such"):
        parts(group(column="list", fraction=0.5), frame)


def test_by_files(tmp_path):
    FRAME[:10].drop(columns="stamp").to_parquet(tmp_path / "v.parquet")
    training, validation = parts(SplitByFiles(by="files", paths=(str(tmp_path / "v.parquet"),)))
    assert training == list(range(ROWS))
    assert validation == list(range(10))


def test_a_file_is_trained_on_or_validated_on(tmp_path):
    FRAME.drop(columns="stamp").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a\.parquet: is both a training file and, by data\.split\.paths, a validation file"
    ):
        split(Log([tmp_path]), SplitByFiles(by="files", paths=(str(tmp_path / "a.parquet"),)), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 0.1, "unit": "day"}, "unit: is the unit of `last`, which is not set"),
        ({"last": 1, "format": "month"}, "must have directives such as %Y, got 'month'"),
        ({"last": 1, "format": "%Y-%Q"}, "'Q' is a bad directive"),
        ({"last": 1, "format": "%Y%Y"}, "redefinition of group name 'Y'"),
        ({"last": 1, "format": "%H:%M"}, "must include the year, such as %Y"),
        ({"last": 1, "start": 2}, "name exactly one of fraction, last and start"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        time(column="time", **options)
