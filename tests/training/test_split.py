import numpy as np
import pandas as pd
import pytest

from training.config import SplitAtRandom, SplitByFiles, SplitByTime
from training.log import DataError, Log
from training.split import split

ROWS = 3000
FRAME = pd.DataFrame(
    {
        "row": np.arange(ROWS),
        "time": np.arange(ROWS) * 1000,
        "date": np.arange(ROWS) // 300,
        "text": [f"2026-01-{1 + i // 300:02d}" for i in range(ROWS)],
        "stamp": pd.to_datetime([f"2026-01-{1 + i // 300:02d}" for i in range(ROWS)]),
    }
)


def parts(rule, source=FRAME, seed=0):
    made = split(Log(source), rule, seed)
    both = []
    for side in (made.training, made.validation):
        both.append([r for chunk, mask in side(["row"]) for r in np.asarray(chunk.columns["row"])[mask].tolist()])
    return both


def time(**way):
    return SplitByTime(by="time", **way)


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        (time(column="date", last=1), 300),
        (time(column="text", last=2), 600),
        (time(column="date", start=7), 900),
        (time(column="text", start="2026-01-10"), 300),
        (time(column="stamp", start="2026-01-10"), 300),
        (time(column="stamp", last=1), 300),
    ],
)
def test_the_latest_rows_are_held_out(rule, held):
    assert parts(rule) == [list(range(ROWS - held)), list(range(ROWS - held, ROWS))]


@pytest.mark.parametrize("column", ["time", "date", "text"])
def test_a_share_by_time(column):
    training, validation = parts(time(column=column, fraction=0.2))
    assert len(validation) == pytest.approx(600, abs=2)
    assert max(training) < min(validation)


def test_at_random_by_the_seed():
    first, again, other = (parts(SplitAtRandom(by="random", fraction=0.25), seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first[0] + first[1]) == list(range(ROWS))
    assert len(first[1]) == pytest.approx(750, abs=80)


def test_by_files(tmp_path):
    FRAME[:10].drop(columns="stamp").to_parquet(tmp_path / "v.parquet")
    training, validation = parts(SplitByFiles(by="files", paths=(str(tmp_path / "v.parquet"),)))
    assert training == list(range(ROWS))
    assert validation == list(range(10))


def test_a_file_is_trained_on_or_validated_on(tmp_path):
    FRAME.drop(columns="stamp").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a\.parquet: is a file to train on and, by data\.split\.paths, to validate on"
    ):
        split(Log([tmp_path]), SplitByFiles(by="files", paths=(str(tmp_path / "a.parquet"),)), seed=0)


def test_a_column_of_one_value_cannot_be_split():
    with pytest.raises(DataError, match="last: 1 leaves no row to train on: column 'date' has only 1 distinct"):
        parts(time(column="date", last=1), FRAME[:100])
    with pytest.raises(DataError, match="has the one value 0; nothing can be held out"):
        parts(time(column="date", fraction=0.1), FRAME[:100])


def test_a_missing_time_is_named():
    frame = pd.DataFrame({"row": [1, 2], "date": [1.0, np.nan]})
    with pytest.raises(DataError, match="DataFrame, row 1, column 'date': no value to split by time on"):
        parts(time(column="date", last=1), frame)


def test_a_start_of_another_type_is_refused():
    with pytest.raises(DataError, match=r"split\.start: 'monday' is no value of column 'time'"):
        parts(time(column="time", start="monday"))
