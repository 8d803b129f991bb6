"""Sums by unit from requests and events."""

import numpy as np
import pyarrow as pa
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.experiments.logs import DAY, START, events, requests, write
from training.experiments.collect import collect, names_in, unit_sums
from training.experiments.events import read_events
from training.experiments.metrics import metric_of
from training.experiments.requests import Period, read_requests
from training.exposures.keys import hashes

NAMES = ["users", "requests", "impressions", "click", "watch", "watch.value"]


def collected(tmp_path, found, happened=(), period=None, before=None, experiment=None):
    """``happened``: (request, kind, value)."""
    read = read_requests(write(tmp_path / "log", found), [Period()])
    times = dict(zip(found["request_id"], found["time"], strict=True))
    columns = {
        "request_id": [name for name, *_ in happened],
        "item": list(range(len(happened))),
        "kind": [kind for _, kind, _ in happened],
        "time": [times[name] + 1000 for name, *_ in happened],
        "value": [float(value) for *_, value in happened],
    }
    columns = {name: pa.array(values, kind) for (name, values), kind in zip(columns.items(), TYPES, strict=True)}
    matched = read_events([events(tmp_path / "events.parquet", **columns)], read, 60_000)
    return collect(read, matched, period or Period(), before, experiment)


TYPES = (pa.string(), pa.int64(), pa.string(), pa.int64(), pa.float64())


def of(found, unit, totals):
    row = found.keys.tolist().index(hashes(pa.array([unit]))[0])
    return [float(values[row]) for values in totals.values()]


def test_totals_by_unit(tmp_path):
    log = requests(["u", "v", "u", "w"], ["a", "b", "a", "b"], returned=[2, 3, 5, 7])
    happened = [
        ("r0", "click", 1),
        ("r2", "click", 1),
        ("r2", "watch", 30),
        ("r1", "watch", 12.5),
        ("r1", "watch", 2.5),
    ]
    found = collected(tmp_path, log, happened)
    totals = found.totals(NAMES)
    assert of(found, "u", totals) == [1, 2, 7, 2, 1, 30]
    assert of(found, "v", totals) == [1, 1, 3, 0, 2, 15]
    assert of(found, "w", totals) == [1, 1, 7, 0, 0, 0]  # without events
    assert found.groups == ["a", "b"]
    assert found.assignment.units == {"a": 1, "b": 2}
    assert found.assignment.requests == {"a": 2, "b": 2}
    assert (found.first, found.last) == (START, START + 3 * 60_000)


def test_who_is_in_no_group_in_several_or_nameless_does_not_count(tmp_path):
    log = requests(
        ["u", "v", "both", "both", None, "x", "y", "v"],
        ["a", "b", "a", "b", "a", None, None, "b"],
        outside=[None] * 5 + ["not covered", None, None],
        experiment=["e"] * 7 + ["other"],
    )
    found = collected(tmp_path, log, experiment="e")
    one = found.assignment
    assert (one.units, one.tangled, one.nameless) == ({"a": 1, "b": 1}, 1, 1)
    assert one.outside == {"not covered": 1, "no reason given": 1}
    assert one.others == {"other": 1}
    assert found.totals(["requests"])["requests"].tolist() == [1, 1]


def test_a_unit_that_changed_groups_in_another_time_counts(tmp_path):
    log = requests(["u", "v", "u"], ["a", "b", "b"], [START, START, START + DAY])
    found = collected(tmp_path, log, period=Period(None, START + DAY))
    assert found.assignment.units == {"a": 1, "b": 1}


def test_days_add_up_to_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    units = [f"u{number}" for number in rng.integers(0, 12, 80)]
    groups = ["a" if int(unit[1:]) % 2 else "b" for unit in units]
    times = np.sort(START + rng.integers(0, 4 * DAY, 80))
    log = requests(units, groups, times.tolist())
    happened = [(f"r{number}", "watch", number) for number in rng.permutation(80)[:50]]
    found = collected(tmp_path, log, [*happened, ("r0", "click", 1)])
    days = list(found.by_day(NAMES))
    assert [end for end, _ in days] == [times[times < START + day * DAY].max() for day in (1, 2, 3, 4)]
    whole = found.totals(NAMES)
    for name in NAMES:
        assert days[-1][1][name] == pytest.approx(whole[name])
    first = days[0][1]
    assert first["requests"].sum() == (times < START + DAY).sum()
    assert first["users"].sum() == len({unit for unit, time in zip(units, times, strict=True) if time < START + DAY})
    assert first["watch.value"].sum() == sum(
        number for name, _, number in happened if times[int(name[1:])] < START + DAY
    )


def test_sums_hold_only_units_that_are_there_by_then(tmp_path):
    log = requests(["u", "v", "w"], ["a", "b", "b"], [START, START, START + DAY])
    found = collected(tmp_path, log, [("r0", "click", 1)])
    metrics = [metric_of("click / requests", ["click"])]
    assert names_in(metrics) == ["users", "click", "requests"]
    covariates = {"click / requests": (np.array([1.0, 2, 3]), np.ones(3))}
    days = [unit_sums(found, metrics, totals, covariates) for _, totals in found.by_day(names_in(metrics))]
    assert [one.counts() for one in days] == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]
    assert len(days[0].metrics["click / requests"].before[0]) == 2


def test_the_period_before_has_all_requests_of_the_units(tmp_path):
    log = requests(
        ["u", "u", "z", "u", "v"],
        [None, None, None, "a", "b"],
        [START, START + 1, START, START + DAY, START + DAY],
        experiment=[None, "old", None, "e", "e"],
    )
    found = collected(
        tmp_path, log, [("r0", "watch", 5), ("r1", "click", 1)], Period(START + DAY), Period(START, START + DAY)
    )
    before = found.totals_before(NAMES)
    assert of(found, "u", before) == [1, 2, 4, 1, 1, 5]
    assert of(found, "v", before) == [0] * 6
    assert found.totals(["watch"])["watch"].sum() == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"groups": [None, None], "outside": ["x", "x"]}, "no request in this time was in a group of an experiment"),
        ({"groups": ["a", "b"], "experiment": ["e", "f"]}, "several experiments: e, f; name one with --experiment"),
        ({"groups": ["a", "a"]}, "only the group 'a' of the experiment 'e' has units of its own"),
        ({"groups": ["a", "b"], "units": ["u", "u"]}, "no group of the experiment 'e' has units of its own"),
        ({"groups": ["a", "b"], "units": [None, None]}, "no request of the experiment 'e' has a unit"),
    ],
)
def test_what_is_no_experiment_is_refused(tmp_path, columns, message):
    log = requests(columns.pop("units", ["u", "v"]), columns.pop("groups"), **columns)
    with pytest.raises(DataError, match=message):
        collected(tmp_path, log)


def test_an_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(DataError, match="no request was in the experiment 'x'"):
        collected(tmp_path, requests(["u", "v"], ["a", "b"]), experiment="x")
