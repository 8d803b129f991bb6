"""Requests read from an exposure log."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from ranker.exposures import ExposureError
from tests.training.experiments.logs import DAY, START, requests, write
from training.experiments.latest import NONE
from training.experiments.requests import Period, period_of, read_requests
from training.exposures.keys import hashes

ALL = [Period()]


def test_one_row_a_request_with_codes(tmp_path):
    found = requests(["u", None, "v"], ["a", "b", None], outside=[None, None, "no unit"], experiment=["e", "f", None])
    read = read_requests(write(tmp_path, found), ALL)
    assert len(read) == 3
    assert read.names == {"experiment": ["e", "f"], "group": ["a", "b"], "outside": ["no unit"]}
    assert (read.experiments.tolist(), read.groups.tolist()) == ([0, 1, NONE], [0, 1, NONE])
    assert read.outsides.tolist() == [NONE, NONE, 0]
    assert read.has_unit.tolist() == [True, False, True]
    assert read.times.tolist() == found["time"]
    assert read.returned.tolist() == [2, 2, 2]
    import pyarrow as pa

    assert read.ids.tolist() == hashes(pa.array(["r0", "r1", "r2"])).tolist()


def test_codes_are_the_same_in_all_files(tmp_path):
    for day, group in enumerate(("a", "b", "a")):
        write(tmp_path, requests(["u"], [group], times=[START + day * DAY], request_id=[f"r{day}"]))
    read = read_requests(tmp_path, ALL)
    assert [read.names["group"][code] for code in read.groups] == ["a", "b", "a"]


def test_only_requests_of_the_periods_are_read(tmp_path):
    times = [START + hours * 3_600_000 for hours in (0, 23, 24, 30, 47, 72)]
    write(tmp_path, requests(["u"] * 6, ["a"] * 6, times))

    def read(*periods):
        return read_requests(tmp_path, periods).times.tolist()

    assert read(Period(None, START + 1)) == times[:1]
    assert read(Period(times[1], times[4])) == times[1:4]
    assert read(Period(times[5]), Period(times[0], times[1])) == [times[0], times[5]]
    with pytest.raises(ExposureError, match=r"no request was answered .* days from 2026-03-02 to 2026-03-05"):
        read(Period(START + 5 * DAY))


def test_files_of_other_days_are_not_opened(tmp_path):
    write(tmp_path, requests(["u", "u"], ["a", "a"], [START, START + DAY]))
    first = next((tmp_path / "date=2026-03-02").iterdir())
    first.write_bytes(b"damaged")
    assert len(read_requests(tmp_path, [Period(START + DAY)])) == 1
    with pytest.raises(ExposureError, match=r"is not a Parquet file"):
        read_requests(tmp_path, ALL)


def test_what_is_no_log_is_refused(tmp_path):
    with pytest.raises(ExposureError, match="no such folder"):
        read_requests(tmp_path / "none", ALL)
    with pytest.raises(ExposureError, match=r"holds no finished file of an exposure log$"):
        read_requests(tmp_path, ALL)
    (tmp_path / ".open").mkdir()
    (tmp_path / ".open" / "m-20260302T000000.000Z-host-1-0.arrow").touch()
    with pytest.raises(ExposureError, match="no finished file of an exposure log; 1 are being written"):
        read_requests(tmp_path, ALL)


def test_a_log_without_a_needed_column_is_refused(tmp_path):
    write(tmp_path, requests(["u"], ["a"]))
    [file] = tmp_path.rglob("*.parquet")
    table = pq.read_table(file)
    pq.write_table(table.drop_columns(["group"]), file)
    with pytest.raises(ExposureError, match="has no column 'group'"):
        read_requests(tmp_path, ALL)


def test_hashed_units_are_told(tmp_path):
    assert read_requests(write(tmp_path, requests(["u"], ["a"]), hashed=True), ALL).hashed


def test_periods_as_text():
    assert period_of("--since", "2026-03-02", "2026-03-02T12:00:00.5Z") == Period(START, START + DAY // 2 + 500)
    assert period_of("--since", None, None) == Period()
    assert Period(5, 9).holds(np.array([4, 5, 8, 9])).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="--since: 'noon' is no time such as"):
        period_of("--since", "noon", None)
    with pytest.raises(ValueError, match="--since: 2026-03-02 is not before 2026-03-02"):
        period_of("--since", "2026-03-02", "2026-03-02")
