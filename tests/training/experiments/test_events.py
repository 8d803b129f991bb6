"""Events matched to requests."""

import json

import pytest

from ranker.exposures import hashed_unit
from ranker.log_files.log_reader import DataError
from tests.training.experiments.logs import START, events, requests, write
from training.experiments.events import MOST_KINDS, read_events
from training.experiments.requests import Period, read_requests

MINUTE = 60_000
WITHIN = 30 * MINUTE


@pytest.fixture
def log(tmp_path):
    """Requests r0 to r3 in the minutes 0, 10, 20 and 60 of the users u, v, u, u."""
    times = [START + minute * MINUTE for minute in (0, 10, 20, 60)]
    folder = write(tmp_path / "log", requests(["u", "v", "u", "u"], ["a"] * 4, times))
    return read_requests(folder, [Period()])


def rows(*found):
    """Columns of events from (request, user, minute, kind, value)."""
    names, users, minutes, kinds, values = zip(*found, strict=True)
    return {
        "request_id": names,
        "user": users,
        "item": list(range(len(found))),
        "kind": kinds,
        "time": [START + int(minute * MINUTE) for minute in minutes],
        "value": values,
    }


def read(tmp_path, log, *found, **more):
    path = events(tmp_path / "events.parquet", **{**rows(*found), **more})
    return read_events([path], log, WITHIN)


def test_an_event_belongs_to_the_request_that_it_names(tmp_path, log):
    found = read(tmp_path, log, ("r1", None, 11, "click", None), ("r0", "v", 30, "watch", 7.5))
    assert found.requests.tolist() == [1, 0]
    assert [found.names[code] for code in found.kinds] == ["click", "watch"]
    assert found.values.tolist() == [1.0, 7.5]


def test_an_event_that_names_a_request_counts_though_its_clock_is_behind(tmp_path):
    times = [START + minute * MINUTE for minute in (40, 20, 30)]  # a client may send an id twice
    log = read_requests(
        write(tmp_path / "log", requests(["u"] * 3, ["a"] * 3, times, request_id=["r", "r", "q"])), [Period()]
    )
    found = read(tmp_path, log, ("r", None, 19.9, "click", 1), ("q", None, 0, "click", 1), ("r", None, 21, "click", 1))
    assert (log.times[found.requests] - START).tolist() == [20 * MINUTE, 30 * MINUTE, 20 * MINUTE]
    assert (found.counts.counted, found.counts.ahead, found.counts.early) == (3, 2, 0)


def test_without_one_it_belongs_to_the_users_latest_request_before_it(tmp_path, log):
    found = read(tmp_path, log, *((None, "u", minute, "click", 1) for minute in (0, 19.9, 20, 49)))
    assert found.requests.tolist() == [0, 0, 2, 2]


def test_what_does_not_count_is_counted(tmp_path, log):
    found = read(
        tmp_path,
        log,
        ("r0", None, 30, "click", 1),  # the last moment of the window
        ("r0", None, 30.001, "click", 1),
        (None, "u", 55, "click", 1),
        (None, "v", 9.9, "click", 1),
        ("r9", "u", 1, "click", 1),
        (None, "w", 1, "share", 1),
        (None, None, 1, "click", 1),
        ("r0", None, 1, None, 1),
    )
    counts = found.counts
    assert (counts.read, counts.counted, counts.late, counts.early) == (8, 1, 2, 1)
    assert (counts.orphans, counts.incomplete, counts.repeated) == (2, 2, 0)
    assert counts.kinds == {"click": 5, "share": 1}


def test_an_event_that_is_reported_again_counts_once(tmp_path, log):
    click = ("r0", None, 1, "click", 1)
    same = {"item": [7, 7, 7, 8]}
    found = read(tmp_path, log, click, click, ("r0", None, 1, "click", 2), click, **same)
    assert (found.counts.counted, found.counts.repeated) == (3, 1)
    found = read(
        tmp_path, log, click, click, ("r0", None, 2, "click", 9), click, **same, event_id=["x", None, "x", None]
    )
    assert (found.counts.counted, found.counts.repeated) == (3, 1)
    assert found.values.tolist() == [1, 1, 1]  # the first report


def test_events_are_read_from_all_formats_together(tmp_path, log):
    folder = tmp_path / "events"
    folder.mkdir()
    events(folder / "a.parquet", **rows(("r0", None, 1, "click", 1)))
    (folder / "b.csv").write_text(
        "request_id,item,kind,time,value\nr1,5,watch,2026-03-02T00:11:00Z,2.5\nr1,6,watch,,1\n"
    )
    line = {"user": "u", "item": 7, "kind": "click", "time": START + 21 * MINUTE}
    (folder / "c.jsonl").write_text(json.dumps(line) + "\n")
    found = read_events([folder], log, WITHIN)
    assert sorted(zip(found.requests.tolist(), found.values.tolist(), strict=True)) == [(0, 1.0), (1, 2.5), (2, 1.0)]
    assert found.counts.incomplete == 1


def test_hashed_users_are_found_by_the_salt(tmp_path):
    folder = write(tmp_path / "log", requests([hashed_unit("u", "salt")], ["a"]), hashed=True)
    log = read_requests(folder, [Period()])
    path = events(tmp_path / "events.parquet", **rows((None, "u", 1, "click", 1)))
    assert read_events([path], log, WITHIN, "salt").requests.tolist() == [0]
    assert read_events([path], log, WITHIN, "pepper").counts.orphans == 1
    with pytest.raises(DataError, match="the units of the exposures are hashed; give the salt, --unit-salt-file"):
        read_events([path], log, WITHIN)
    named = events(tmp_path / "named.parquet", **rows(("r0", "u", 1, "click", 1)))
    assert read_events([named], log, WITHIN).requests.tolist() == [0]


def test_values_below_0_are_told(tmp_path, log):
    found = read(tmp_path, log, ("r0", None, 1, "refund", -5.0), ("r1", None, 11, "click", 1))
    assert found.counts.negative == {"refund": 1}
    assert found.values.tolist() == [-5.0, 1.0]


def test_no_events_at_all(tmp_path, log):
    (tmp_path / "none.csv").write_text("request_id,item,kind,time\n")
    found = read_events([tmp_path / "none.csv"], log, WITHIN)
    assert (found.requests.tolist(), found.names, found.counts.read) == ([], [], 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "has no column 'kind'"),
        ({"request_id": None, "user": None}, "neither the column 'request_id' nor 'user'"),
        ({"value": [float("inf")]}, "inf is not a finite number"),
        ({"value": ["many"]}, "values are numbers"),
        ({"time": [START // 1000]}, "looks like seconds since 1970"),
        ({"time": ["noon"]}, "'noon' is not a time"),
    ],
)
def test_events_that_cannot_be_read_are_refused(tmp_path, log, change, message):
    columns = rows(("r0", "u", 1, "click", 1.0)) | change
    path = events(tmp_path / "events.parquet", **{name: list(v) for name, v in columns.items() if v is not None})
    with pytest.raises(DataError, match=message):
        read_events([path], log, WITHIN)


def test_a_column_of_ids_is_not_taken_for_kinds(tmp_path, log):
    many = [("r0", None, 1, f"item {number}", 1) for number in range(MOST_KINDS + 1)]
    with pytest.raises(DataError, match="the column 'kind' has more than 500 values"):
        read(tmp_path, log, *many)
