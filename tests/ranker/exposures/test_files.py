"""Names of a log's files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ranker.exposures.files import ExposureFile, finished, new_name


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
