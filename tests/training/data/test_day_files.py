import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError, Log
from tests.training.days import config
from training.data.day_files import DAY, write_days
from training.data.days import DayClock
from training.data.experiment_log import open_log

FIRST = pd.DataFrame({"date": ["2026-01-02", "2026-01-01", "2026-01-02"], "x": [1, 2, 3], "y": ["a", None, "c"]})
SECOND = pd.DataFrame({"date": ["2026-01-02"], "x": [4.5], "y": ["d"]})


@pytest.fixture
def log(tmp_path) -> Log:
    (tmp_path / "log").mkdir()
    FIRST.to_parquet(tmp_path / "log" / "1.parquet")
    SECOND.to_csv(tmp_path / "log" / "2.csv", index=False)
    return open_log(config(), [tmp_path / "log"]).typed({"x": "number"})


def test_rows_are_in_the_files_of_their_day_in_their_order(log, tmp_path):
    folder = tmp_path / "days"
    written = write_days(log, DayClock(config(), 0), ["x", "y"], [], folder, "key")
    assert written.rows == {20454: 1, 20455: 3}
    assert written.unit == "times"
    files = sorted((folder / "20455").iterdir())
    day = pd.concat([pd.read_parquet(file) for file in files])
    assert day["x"].tolist() == [1, 3, 4.5]
    assert day["y"].tolist() == ["a", "c", "d"]
    assert set(day[DAY]) == {20455}
    chunks = list(Log([folder / "20454"]).chunks(["x", "y"]))
    assert [chunk.columns["x"].tolist() for chunk in chunks] == [[2]]


def test_finished_files_are_kept_and_those_of_another_log_replaced(log, tmp_path):
    folder = tmp_path / "days"
    first = write_days(log, DayClock(config(), 0), ["x"], [], folder, "key")
    (folder / "20454" / "00000.parquet").unlink()
    assert write_days(log, DayClock(config(), 0), ["x"], [], folder, "key") == first
    assert not (folder / "20454" / "00000.parquet").exists()
    write_days(log, DayClock(config(), 0), ["x"], [], folder, "other")
    assert (folder / "20454" / "00000.parquet").exists()


def test_a_row_without_a_day_is_named(tmp_path):
    file = tmp_path / "log.parquet"
    pd.DataFrame({"date": ["2026-01-01", None], "x": [1, 2]}).to_parquet(file)
    with pytest.raises(DataError, match="row 1, column 'date'"):
        write_days(open_log(config(), [file]), DayClock(config(), 0), ["x"], [], tmp_path / "days", "key")


def test_files_of_the_log_itself_are_not_deleted(log, tmp_path):
    with pytest.raises(DataError, match=r"1\.parquet: is a file of the log in .*choose another output"):
        write_days(log, DayClock(config(), 0), ["x"], [], tmp_path / "log", "key")
    assert (tmp_path / "log" / "1.parquet").is_file()
