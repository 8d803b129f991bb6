"""Reading a log request by request."""

from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.exposures import (
    ExposureError,
    exposure_files,
    facts,
    read_file,
    read_log,
    request_starts,
    write_exposures,
)
from ranker.exposures.columns import REQUEST, ROW
from tests.ranker.exposures.samples import exposures


def test_a_log_comes_back_in_the_order_of_its_files_one_for_each_day(tmp_path):
    later, earlier = exposures(90), exposures(5, begun=datetime(2026, 1, 1, tzinfo=UTC), first=100)
    files = [*write_exposures(later, tmp_path, "b"), *write_exposures(earlier, tmp_path, "a")]
    assert sorted(path.parent.name for path in files) == ["date=2026-01-01", "date=2026-01-31", "date=2026-02-01"]
    assert [file.model for file in exposure_files(tmp_path)] == ["a", "b", "b"]
    found = [(file.day.day, table) for file, table in read_log(tmp_path)]
    assert [day for day, _ in groupby(day for day, _ in found)] == [1, 31, 1]
    ids = [value for _, table in found for value in table.column("request_id").to_pylist()]
    assert ids == [*earlier.column("request_id").to_pylist(), *later.column("request_id").to_pylist()]


def test_a_file_has_the_types_of_the_contract_and_says_its_format(tmp_path):
    (path,) = write_exposures(exposures(2), tmp_path, hashed=True)
    assert facts(path) == {"format": 1, "hashed": True}
    schema = pq.read_schema(path)
    assert {name: schema.field(name).type for name in {**REQUEST, **ROW}} == {**REQUEST, **ROW}


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 1000])
def test_no_request_is_split_however_many_rows_are_read_at_once(tmp_path, rows):
    log = exposures(7)
    (path,) = write_exposures(log, tmp_path)
    tables = list(read_file(path, ["request_id", "item"], rows))
    assert all(table.num_rows % 3 == 0 for table in tables)
    assert len(tables) == 7 if rows <= 3 else len(tables) < 7
    assert pa.concat_tables(tables).column("item").to_pylist() == log.column("item").to_pylist()
    assert tables[0].column_names == ["request_id", "item"]


def test_two_requests_of_one_id_stay_two():
    log = exposures(2)
    assert request_starts(log).tolist() == [0, 3]
    twice = pa.concat_tables([log.slice(0, 3), log.slice(0, 3)])
    assert np.array_equal(request_starts(twice), [0, 3])


def test_columns_that_a_file_lacks_are_left_out(tmp_path):
    (path,) = write_exposures(exposures(2), tmp_path)
    assert {*next(read_file(path, ["item", "context.city"])).column_names} == {"item"}


def test_other_files_are_refused_by_name(tmp_path):
    file = tmp_path / "x.parquet"
    pq.write_table(pa.table({"place": [1]}), file)
    with pytest.raises(ExposureError, match=r"x\.parquet is not a file of an exposure log"):
        next(read_file(file))
    file.write_bytes(b"no")
    with pytest.raises(ExposureError, match=r"x\.parquet is not a Parquet file"):
        next(read_file(file))
    with pytest.raises(ExposureError, match="lack the column 'fused'"):
        write_exposures(exposures(1).drop_columns(["fused"]), tmp_path)


def test_a_folder_that_is_not_there_is_an_empty_log(tmp_path):
    assert list(read_log(tmp_path / "none")) == []
