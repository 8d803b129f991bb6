"""Notes on the data of an experiment."""

import pyarrow as pa

from tests.training.experiments.logs import DAY, START, events, requests, write
from training.experiments.assignment import mismatch
from training.experiments.collect import collect
from training.experiments.events import read_events
from training.experiments.notes import notes_of
from training.experiments.requests import Period, read_requests


def noted(tmp_path, log, shares=None, within=60_000, happened=()):
    read = read_requests(write(tmp_path / "log", log), [Period()])
    columns = {
        "request_id": pa.array([name for name, _ in happened], pa.string()),
        "item": pa.array([1] * len(happened), pa.int64()),
        "kind": pa.array(["click"] * len(happened), pa.string()),
        "time": pa.array([time for _, time in happened], pa.int64()),
    }
    matched = read_events([events(tmp_path / "events.parquet", **columns)], read, within)
    found = collect(read, matched, Period(), experiment="e")
    tested = None if shares is None else mismatch(found.assignment.units, shares, 0.001, sequential=False)
    return notes_of(found, read, matched, tested, within)


def test_a_plain_experiment_needs_no_word(tmp_path):
    units = [f"u{number}" for number in range(20)]
    times = [START + number * DAY // 2 for number in range(20)]
    log = requests(units, ["a", "b"] * 10, times)
    happened = [("r0", START + 1)]
    assert noted(tmp_path, log, {"a": 0.5, "b": 0.5}, happened=happened) == []


def test_everything_that_is_left_out_is_told(tmp_path):
    log = requests(
        ["u", "v", "both", "both", None, "x", "y"],
        ["a", "b", "a", "b", "a", None, "b"],
        outside=[None] * 5 + ["not covered", None],
        experiment=["e"] * 6 + ["other"],
    )
    (tmp_path / "log" / ".open").mkdir(parents=True)
    (tmp_path / "log" / ".open" / "m-20260302T000000.000Z-host-1-0.arrow").touch()
    happened = [("r0", START - 1), ("r1", START + DAY), ("r9", START), ("r0", START), ("r0", START), (None, START)]
    told = noted(tmp_path, log, happened=happened)
    assert told == [
        "numbers of units are not tested for a sample ratio mismatch: name their shares by --models or --shares",
        "1 units were in several groups, and do not count",
        "1 requests in a group have no unit, and do not count",
        "1 requests of the experiment were in no group: not covered",
        "1 requests were in the experiment other, and do not count",
        "the requests span 0.0 days; what users do often differs by the day of the week",
        "50% of the requests are within the window of the last one, and may lack events that are still to come",
        "files of the exposure log that are still being written, and are not read: 1",
        "1 of 6 events are later than the window after their request, and do not count",
        "1 of 6 events are of requests or users that the log does not have in this time, and do not count",
        "1 of 6 events are without a kind or a time, or of neither a request nor a user, and do not count",
        "1 events are earlier than the request that they name, and count, since clocks differ",
        "1 events were reported more than once, and count once",
    ]


def test_too_few_units_for_the_test_of_shares(tmp_path):
    told = noted(tmp_path, requests(["u", "v"], ["a", "b"]), {"a": 0.5, "b": 0.5})
    assert told[0] == "too few units to test for a sample ratio mismatch"
