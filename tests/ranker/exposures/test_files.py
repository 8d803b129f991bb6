"""Names of a log's files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ranker.exposures.files import ExposureFile, exposure_files, finished, new_name, newest_files


def test_a_name_tells_model_and_time_whatever_the_model_is_called():
    begun = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
    for model in ("default", "a-b_c.d-1", "20260131"):
        file = ExposureFile.of(Path(f"{new_name(model, begun, 7)}.parquet"))
        assert file is not None
        assert (file.model, file.begun) == (model, begun.replace(microsecond=123000))


@pytest.mark.parametrize("name", ["x", "m-20260131T235959.123Z-h-1", "m-20261331T235959.123Z-h-1-2"])
def test_other_names_are_not_of_the_log(name):
    assert ExposureFile.of(Path(f"{name}.parquet")) is None


def test_a_stream_ends_as_a_file_of_its_day():
    name = new_name("m", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), 0)
    assert finished(Path(f"/log/.open/{name}.arrow")) == Path(f"/log/date=2026-01-31/{name}.parquet")
    with pytest.raises(ValueError, match=r"x\.arrow is not named"):
        finished(Path("/log/.open/x.arrow"))


def test_the_newest_files_are_found_without_listing_older_days(tmp_path):
    for number, (day, hour) in enumerate([(30, 1), (31, 5), (31, 4), (29, 9)]):
        name = new_name("m", datetime(2026, 1, day, hour, tzinfo=UTC), number)
        file = tmp_path / f"date=2026-01-{day}" / f"{name}.parquet"
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert list(newest_files(tmp_path)) == exposure_files(tmp_path)[::-1]
    found = newest_files(tmp_path)
    assert [next(found).begun.hour, next(found).begun.hour] == [5, 4]
    (tmp_path / "date=2026-01-30").rename(tmp_path / "elsewhere")  # has not been listed so far
    assert [file.begun.day for file in found] == [29]
