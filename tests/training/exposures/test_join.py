import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.file_locks import lock
from ranker.log_files.log_reader import DataError, Log
from tests.training.exposures.conftest import LABELS
from tests.training.exposures.shown import at, events, joined, log_of, merged, shown, write
from training.exposures import join as module
from training.exposures.event_run import Fate
from training.exposures.labels import Label
from training.exposures.log_columns import LogColumns
from training.simulator import World
from training.simulator.live import Answers, Crowd, EventOptions, rounds
from training.simulator.live import exposures as exposures_of


def test_one_row_an_exposure_with_its_labels(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5, 6]), ("b", "u2", 1, [5])), exposures)
    found = events(
        tmp_path / "events" / "1.parquet",
        ("a", 6, "click", 2), ("a", 6, "watch_time", 3, 4.0), ("a", 6, "watch_time", 4, 2.5), ("b", 5, "like", 2),
        ("a", 6, "click", 5), ("b", 5, "click", 2),
    )  # fmt: skip
    result = joined(exposures, found, columns, tmp_path / "log", LABELS)
    log = log_of(tmp_path / "log")
    assert log[["request_id", "item_id", "position", "click", "watch_time"]].to_numpy().tolist() == [
        ["a", 5, 1, 0, 0.0], ["a", 6, 2, 1, 6.5], ["b", 5, 1, 1, 0.0],
    ]  # fmt: skip
    assert log["user_id"].tolist() == ["u1", "u1", "u2"]
    assert log["duration_s"].tolist() == [50.0, 60.0, 50.0]
    assert log["propensity"].tolist() == [0.5, 0.5, 0.5]
    assert result.rows == 3
    assert result.days == {"2026-01-31": 3}
    assert result.positive == {"click": 2, "watch_time": 1}
    assert result.events[Fate.COUNTED] == 5
    assert result.events[Fate.OTHER] == 1  # a like, of which no label is made
    assert result.kinds == {"click": 3, "watch_time": 2, "like": 1}


def test_events_count_once_within_the_window_and_for_what_was_shown(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5, 6])), exposures)
    folder = tmp_path / "events"
    events(folder / "1.parquet", ("a", 5, "watch_time", 30, 1.0), ("a", 5, "watch_time", 30, 1.0), ("a", 6, "click", 1))
    events(
        folder / "2.parquet",
        ("a", 5, "watch_time", 30, 1.0), ("a", 5, "watch_time", 30.001, 7.0), ("a", 7, "click", 1),
        ("x", 5, "click", 1), ("a", 6, "watch_time", -1, 3.0),
    )  # fmt: skip
    result = joined(exposures, folder, columns, tmp_path / "log", LABELS, rejected=tmp_path / "rejected")
    log = log_of(tmp_path / "log")
    assert log[["click", "watch_time"]].to_numpy().tolist() == [[0, 1.0], [1, 3.0]]
    assert {fate: count for fate, count in result.events.items() if count} == {
        Fate.COUNTED: 3, Fate.REPEATED: 2, Fate.LATE: 1, Fate.ORPHAN: 2,
    }  # fmt: skip
    assert result.early == 1  # a device's clock was a minute behind
    assert pq.read_table(tmp_path / "rejected" / "late-000001.parquet")["value"].to_pylist() == [7.0]
    assert pq.read_table(tmp_path / "rejected" / "orphans-000001.parquet")["item"].to_pylist() == ["7", "5"]


def test_equal_event_ids_are_one_event_and_others_are_not(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    folder = tmp_path / "events"
    events(folder / "1.parquet", ("a", 5, "watch_time", 1, 2.0), event_id="one")
    events(folder / "2.parquet", ("a", 5, "watch_time", 9, 4.0), event_id="one")
    events(folder / "3.parquet", ("a", 5, "watch_time", 1, 2.0), ("a", 5, "click", 1), event_id="two")
    result = joined(exposures, folder, columns, tmp_path / "log", [LABELS[1]])
    assert log_of(tmp_path / "log")["watch_time"].tolist() == [4.0]
    assert result.events[Fate.REPEATED] == 1


def test_without_a_request_id_the_latest_exposure_of_the_user_before_the_event_counts(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5]), ("b", "u1", 10, [5]), ("c", "u2", 11, [5]), ("d", "u1", 20, [5])), exposures)
    found = events(
        tmp_path / "e.parquet",
        (None, 5, "click", 15),
        (None, 5, "watch_time", 51, 1.0),
        (None, 6, "click", 15),
        user="u1",
    )
    result = joined(exposures, found, columns, tmp_path / "log", LABELS)
    assert log_of(tmp_path / "log")["click"].tolist() == [0, 1, 0, 0]
    assert result.events[Fate.COUNTED] == 1
    assert result.events[Fate.LATE] == 1  # 31 minutes after d
    assert result.events[Fate.ORPHAN] == 1


def test_a_request_id_that_comes_back_gives_events_to_the_latest_before_them(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5]), ("a", "u1", 10, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 5), ("a", 5, "watch_time", 12, 2.0))
    joined(exposures, found, columns, tmp_path / "log", LABELS)
    log = log_of(tmp_path / "log").sort_values("time")
    assert log[["click", "watch_time"]].to_numpy().tolist() == [[1, 0.0], [0, 2.0]]


def test_runs_add_only_what_is_new(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    output, folder = tmp_path / "log", tmp_path / "events"
    write(shown(("a", "u1", 0, [5]), ("b", "u1", 20, [5])), exposures)
    events(folder / "1.parquet", ("a", 5, "click", 1), ("b", 5, "watch_time", 21, 2.0))

    first = joined(exposures, folder, columns, output, LABELS, now=40)
    assert (first.rows, first.held_back) == (1, 1)
    assert first.events[Fate.PENDING] == 1
    again = joined(exposures, folder, columns, output, LABELS, now=40)
    assert (again.rows, again.held_back) == (0, 1)
    assert again.events[Fate.COUNTED] == 0

    write(shown(("c", "u2", 45, [6])), exposures)
    events(folder / "2.parquet", ("a", 5, "watch_time", 2, 9.0), ("c", 6, "click", 46), ("b", 5, "click", 21))
    second = joined(exposures, folder, columns, output, LABELS, now=90)
    assert (second.rows, second.held_back) == (2, 0)
    assert second.events[Fate.LATE] == 1  # in time, but its row was written
    assert second.events[Fate.COUNTED] == 3
    log = log_of(output)
    assert log[["request_id", "click", "watch_time"]].to_numpy().tolist() == [["a", 1, 0], ["b", 1, 2], ["c", 1, 0]]

    events(folder / "3.parquet", ("c", 6, "click", 46))
    third = joined(exposures, folder, columns, output, LABELS, now=90)
    assert third.rows == 0
    assert third.events[Fate.REPEATED] == 1
    assert log_of(output).equals(log)


def test_grace_holds_rows_back_for_events_that_arrive_late(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch_time", 1, 1.0))
    held = joined(exposures, found, columns, tmp_path / "log", LABELS, now=35, grace=timedelta(minutes=10))
    assert (held.rows, held.held_back) == (0, 1)
    assert joined(exposures, found, columns, tmp_path / "log", LABELS, now=41, grace=timedelta(minutes=10)).rows == 1
    assert log_of(tmp_path / "log")["click"].tolist() == [1]


def test_only_returned_rows_of_the_model_are_joined(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5, 6, 7]), returned=2), exposures)
    write(shown(("b", "u1", 0, [5]), model="other"), exposures, "other")
    found = events(tmp_path / "e.parquet", ("a", 7, "click", 1), ("a", 5, "watch_time", 1, 1.0), ("b", 5, "click", 1))
    result = joined(exposures, found, columns, tmp_path / "log", LABELS, model="default")
    assert log_of(tmp_path / "log")["item_id"].tolist() == [5, 6]
    assert result.events[Fate.ORPHAN] == 2
    with pytest.raises(DataError, match="holds no finished files of exposures of the model 'none'"):
        joined(exposures, found, columns, tmp_path / "other", LABELS, model="none")


def test_days_are_folders_that_logs_read(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5]), ("b", "u1", 720, [5]), ("c", "u1", 2000, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("c", 5, "watch_time", 2001, 1.0))
    result = joined(exposures, found, columns, tmp_path / "log", LABELS)
    assert result.days == {"2026-01-31": 1, "2026-02-01": 2}
    log = Log([tmp_path / "log"])
    assert log.notes == []
    chunks = list(log.chunks(["date", "click"]))
    assert [value for chunk in chunks for value in chunk.columns["click"].tolist()] == [1, 0, 0]


@pytest.mark.parametrize("rows", [50, 100_000])
def test_simulated_users_are_joined_as_by_a_merge(
    tmp_path: Path,
    exposures: Path,
    columns: LogColumns,
    small_world: World,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    monkeypatch.setattr(module, "PART", rows)  # with fifty rows, in many parts on disk
    crowd = Crowd(small_world)
    answered = rounds(
        crowd, lambda v: Answers(v.candidates[:, :8]), 600, EventOptions(late=0.1, twice=0.1, orphans=0.1)
    )
    found = list(answered)
    table = pa.concat_tables(
        exposures_of(crowd, each.visits, each.answers, features=True).select([*shown(("a", "u", 0, [1])).column_names])
        for each in found
    )
    write(table, exposures)
    (tmp_path / "events").mkdir()
    for number, each in enumerate(found):
        pq.write_table(each.events.table(), tmp_path / "events" / f"{number}.parquet")
    result = joined(exposures, tmp_path / "events", columns, tmp_path / "log", LABELS)
    told = pa.concat_tables(each.events.table() for each in found).to_pandas()
    expected = merged(table.select(["request_id", "time", "item", "place"]).to_pandas(), told)
    log = log_of(tmp_path / "log")
    assert log["request_id"].tolist() == expected["request_id"].tolist()
    assert log["item_id"].tolist() == expected["item"].tolist()
    assert log["click"].tolist() == (expected["clicks"] > 0).astype(int).tolist()
    np.testing.assert_allclose(log["watch_time"], expected["watched"])
    assert (
        result.events[Fate.ORPHAN]
        == told["event_id"].str.endswith("orphan").mul(told["kind"].isin(["click", "watch_time"])).sum()
    )
    assert result.events[Fate.REPEATED] > 50
    assert result.events[Fate.LATE] > 50
    assert sum(result.events.values()) == len(told)


def test_labels_of_events_that_never_occur_are_an_error(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch", 1))
    with pytest.raises(DataError, match=r"no event is of the kind 'watch_time'.*\(kinds: click, watch\)"):
        joined(exposures, found, columns, tmp_path / "log", LABELS)
    assert joined(exposures, found, columns, tmp_path / "log", [Label("watch_time", "watch", "sum")]).rows == 1


def test_settings_of_a_log_do_not_change(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch_time", 1, 2.0))
    joined(exposures, found, columns, tmp_path / "log", LABELS)
    with pytest.raises(DataError, match=r"was begun with --label click=click:any, watch_time=watch_time:sum, and this"):
        joined(exposures, found, columns, tmp_path / "log", LABELS[:1])


def test_what_a_living_service_has_not_finished_is_waited_for(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5]), ("b", "u1", 20, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("c", 5, "click", 11), ("b", 5, "watch_time", 21, 2.0))
    stream = exposures / ".open" / f"default-{at(10):%Y%m%dT%H%M%S}.000Z-host-1-0.arrow"
    stream.parent.mkdir()
    with stream.open("wb") as handle:
        lock(handle)  # as its process holds it
        held = joined(exposures, found, columns, tmp_path / "log", LABELS, now=10_000)
    assert (held.rows, held.held_back, held.waiting) == (1, 1, at(10))
    assert held.events[Fate.PENDING] == 2  # one of them is of a request in that file
    stream.unlink()
    write(shown(("c", "u1", 10, [5])), exposures)
    after = joined(exposures, found, columns, tmp_path / "log", LABELS, now=10_000)
    assert (after.rows, after.held_back, after.waiting) == (2, 0, None)
    assert log_of(tmp_path / "log")["click"].tolist() == [1, 0, 1]


def test_files_that_are_gone_too_early_are_told(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    write(shown(("b", "u1", 20, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("b", 5, "watch_time", 21, 2.0))
    assert joined(exposures, found, columns, tmp_path / "log", LABELS, now=40).lost == []
    first, second = sorted(exposures.glob("date=*/*.parquet"))
    first.unlink()
    assert joined(exposures, found, columns, tmp_path / "log", LABELS, now=41).lost == []
    second.rename(tmp_path / "elsewhere")
    write(shown(("c", "u1", 21, [5])), exposures)
    assert joined(exposures, found, columns, tmp_path / "log", LABELS, now=90).lost == [second.name]


def test_what_may_only_be_read_is_waited_for(
    tmp_path: Path, exposures: Path, columns: LogColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shown(("a", "u1", 0, [5]), ("b", "u1", 20, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch_time", 1))
    stream = exposures / ".open" / f"default-{at(10):%Y%m%dT%H%M%S}.000Z-host-1-0.arrow"
    stream.parent.mkdir()
    stream.touch()

    def refused(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(module, "recover", refused)
    held = joined(exposures, found, columns, tmp_path / "log", LABELS)
    assert (held.rows, held.waiting) == (1, at(10))


@pytest.mark.parametrize("kept", [0, 200])
def test_a_damaged_file_of_exposures_is_named(tmp_path: Path, exposures: Path, columns: LogColumns, kept: int) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    (file,) = exposures.glob("date=*/*.parquet")
    os.truncate(file, kept)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1))
    with pytest.raises(DataError, match=f"{file.name} is not a Parquet file"):
        joined(exposures, found, columns, tmp_path / "log", LABELS)


def test_a_file_that_is_deleted_while_it_is_read_is_named(
    tmp_path: Path, exposures: Path, columns: LogColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    found = events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch_time", 1))
    (file,) = exposures.glob("date=*/*.parquet")
    real = module.ExposureRun.closed

    def gone(*given: Any) -> Any:
        file.unlink()
        return real(*given)

    with monkeypatch.context() as patched:
        patched.setattr(module.ExposureRun, "closed", gone)
        with pytest.raises(DataError, match=f"{file.name}: was deleted while it was read; run again"):
            joined(exposures, found, columns, tmp_path / "log", LABELS)
    write(shown(("a", "u1", 0, [5])), exposures)
    assert joined(exposures, found, columns, tmp_path / "log", LABELS).rows == 1
