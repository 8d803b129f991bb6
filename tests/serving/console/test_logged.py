"""Requests rebuilt from an exposure log of a service without the features: by id, or a reason why not."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.exposures import write_exposures
from ranker.exposures.files import OPEN, new_name
from ranker.exposures.schema import metadata
from serving.console import logged
from serving.console.logged import logged_requests

FEATURES = {"context.device": "phone", "candidate.length": 7.5}


def table(requests, **columns):
    """A log of requests of three candidates each, a second apart, with further columns."""
    rows = [(request, place) for request in requests for place in (1, 2, 3)]
    time = [datetime(2026, 1, 31, 12, 0, request, tzinfo=UTC) for request, _ in rows]
    fixed = dict.fromkeys(("model", "experiment", "group", "outside", "fusion", "formula", "parameters"), "default")
    found = {
        "request_id": [f"r{request}" for request, _ in rows],
        "time": time,
        **{name: [value] * len(rows) for name, value in fixed.items()},
        "version": [1] * len(rows),
        "unit": [f"u{request}" for request, _ in rows],
        "candidates": [5] * len(rows),
        "returned": [3] * len(rows),
        "place": [place for _, place in rows],
        "base_place": pa.nulls(len(rows), pa.int32()),
        "propensity": pa.nulls(len(rows), pa.float64()),
        "fused": [1.0 / place for _, place in rows],
        "item": [10 * request + place for request, place in rows],
        **{name: [value] * len(rows) for name, value in columns.items()},
    }
    return pa.table(found)


def ranker(items=None, by_user=False):
    """What is read of a ranker: an id and a length by candidate, and a device in the context."""
    needed = SimpleNamespace(required=True)
    schema = SimpleNamespace(candidate_id="item", column=lambda name: name)
    checker = SimpleNamespace(columns={"item": needed, "length": needed}, context_columns={"device": needed})
    return SimpleNamespace(artifact=SimpleNamespace(schema=schema), checker=checker, items=items, by_user=by_user)


def test_with_all_features_the_request_is_whole(tmp_path):
    write_exposures(table([1, 2], **FEATURES), tmp_path)
    newest, older = logged_requests(tmp_path, "default", ranker(), 20)
    assert newest == {
        "title": "Logged 2026-01-31 12:00:02 UTC (3 of 5 candidates)",
        "request": {"context": {"device": "phone"}, "candidates": {"length": [7.5] * 3, "item": [21, 22, 23]}},
    }
    assert older["request"]["candidates"]["item"] == [11, 12, 13]


def test_without_features_users_and_items_are_looked_up(tmp_path):
    write_exposures(table([1]), tmp_path)
    (found,) = logged_requests(tmp_path, "default", ranker(items=[0], by_user=True), 20)
    assert found["request"] == {"user": "u1", "candidates": {"item": [11, 12, 13]}}


@pytest.mark.parametrize(
    ("service", "hashed", "reason"),
    [
        (ranker(), False, "lacks features of candidates (length): set exposures_features, or items"),
        (ranker(items=[0]), False, "lacks columns of the context (device): set exposures_features, or users"),
        (
            ranker(items=[0], by_user=True),
            True,
            "lacks columns of the context (device): set exposures_features, or users",
        ),
    ],
)
def test_what_cannot_be_rebuilt_has_a_reason(tmp_path, service, hashed, reason):
    write_exposures(table([1, 2]), tmp_path, hashed=hashed)
    assert logged_requests(tmp_path, "default", service, 20) == [{"title": "From the exposure log", "reason": reason}]


def test_the_newest_come_first_of_whatever_file(tmp_path):
    write_exposures(table([1, 4, 6], **FEATURES), tmp_path)
    write_exposures(table([2, 3], **FEATURES), tmp_path)
    (tmp_path / OPEN).mkdir()
    for number, (cut, requests) in enumerate([(0, (5, 8)), (40, (7, 9))]):  # the second was cut by a kill
        stream = pa.BufferOutputStream()
        parts = [table([one], **FEATURES).replace_schema_metadata(metadata(hashed=False)) for one in requests]
        with pa.ipc.new_stream(stream, parts[0].schema) as writer:
            for part in parts:
                writer.write_table(part)
        content = stream.getvalue().to_pybytes()
        begun = datetime(2026, 1, 31, 12, 1 + number, tzinfo=UTC)
        (tmp_path / OPEN / f"{new_name('default', begun, number)}.arrow").write_bytes(content[: len(content) - cut])
    found = logged_requests(tmp_path, "default", ranker(), 20)
    assert [one["request"]["candidates"]["item"][0] // 10 for one in found] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert logged_requests(tmp_path, "default", ranker(), 3) == found[:3]
    assert logged_requests(tmp_path, "other", ranker(), 3) == []
    assert logged_requests(tmp_path / "none", "default", ranker(), 3) == []


def test_no_more_files_are_looked_into_than_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(logged, "FILES", 2)
    for request in (1, 2, 3):
        write_exposures(table([request], **FEATURES), tmp_path)
    found = logged_requests(tmp_path, "default", ranker(), 20)
    assert [one["request"]["candidates"]["item"][0] // 10 for one in found] == [3, 2]


def test_a_file_of_something_else_is_passed_over(tmp_path):
    (path,) = write_exposures(table([1], **FEATURES), tmp_path)
    write_exposures(table([2], **FEATURES), tmp_path)
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    (found,) = logged_requests(tmp_path, "default", ranker(), 20)
    assert found["request"]["candidates"]["item"] == [21, 22, 23]
    path.write_bytes(b"PAR1")
    assert logged_requests(tmp_path, "default", ranker(), 20) == [found]


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(logged, "open_files", refuse)
    (found,) = logged_requests(tmp_path, "default", ranker(), 20)
    assert found == {"title": "From the exposure log", "reason": "cannot be read: Permission denied"}
