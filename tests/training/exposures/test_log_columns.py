from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.exposures import hashed_unit
from ranker.log_files.log_reader import DataError
from tests.training.exposures.conftest import CONFIG, LABELS
from tests.training.exposures.shown import events, joined, log_of, shown, write
from training.config.experiment import Experiment, checked
from training.exposures.event_run import Fate
from training.exposures.log_columns import LogColumns
from training.exposures.lookup import Lookup
from training.exposures.time_forms import FORMS, text_form

LOGGED = ["context.user_id", "context.device", "candidate.duration_s"]
COLUMNS = [label.column for label in LABELS]


def found(tmp_path: Path) -> Path:
    return events(tmp_path / "e.parquet", ("a", 5, "click", 1), ("a", 5, "watch_time", 1, 2.0))


def test_features_that_are_not_logged_come_from_files(tmp_path: Path, exposures: Path, experiment: Experiment) -> None:
    write(shown(("a", "u1", 0, [5, 6]), ("b", "u9", 0, [5])).drop_columns(LOGGED), exposures)
    pd.DataFrame({"item_id": [5, 7], "duration_s": [1.5, 2.5]}).to_parquet(tmp_path / "items.parquet")
    pd.DataFrame({"user_id": ["u1", "u2"], "device": ["web", "ios"]}).to_parquet(tmp_path / "users.parquet")
    items = Lookup.read("--items", tmp_path / "items.parquet", "item_id", ["duration_s"])
    users = Lookup.read("--users", tmp_path / "users.parquet", "user_id", ["device"])
    columns = LogColumns(experiment, COLUMNS, {}, items, users)
    result = joined(exposures, found(tmp_path), columns, tmp_path / "log", LABELS)
    log = log_of(tmp_path / "log")
    assert log["duration_s"].fillna(-1).tolist() == [1.5, -1, 1.5]
    assert log["user_id"].fillna("").tolist() == ["u1", "u1", ""]
    assert log["device"].fillna("").tolist() == ["web", "web", ""]
    assert result.unknown == {"items": 1, "users": 1}


def test_features_of_candidates_that_were_sent_as_ids_are_filled_in(
    tmp_path: Path, exposures: Path, experiment: Experiment
) -> None:
    table = shown(("a", "u1", 0, [5, 6]))
    place = table.column_names.index("candidate.duration_s")
    write(table.set_column(place, "candidate.duration_s", pa.array([None, 3.0])), exposures)
    items = Lookup(pa.table({"item_id": [5, 6], "duration_s": [1.5, 2.5]}), "item_id", "items")
    columns = LogColumns(experiment, COLUMNS, {}, items)
    assert joined(exposures, found(tmp_path), columns, tmp_path / "log", LABELS).empty == []
    assert log_of(tmp_path / "log")["duration_s"].tolist() == [1.5, 3.0]


def test_features_without_any_value_are_told(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    table = shown(("a", "u1", 0, [5, 6]))
    place = table.column_names.index("candidate.duration_s")
    write(table.set_column(place, "candidate.duration_s", pa.nulls(2, pa.float64())), exposures)
    assert joined(exposures, found(tmp_path), columns, tmp_path / "log", LABELS).empty == ["duration_s"]


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    write(shown(("a", "u1", 0, [5])).drop_columns(LOGGED), exposures)
    with pytest.raises(
        DataError,
        match=r"lacks the context column\(s\) user_id, device \(have the service log them by its setting "
        r"exposures_features, or take them from a file with --users\); the candidate column\(s\) duration_s .*items\)",
    ):
        joined(exposures, found(tmp_path), columns, tmp_path / "log", LABELS)
    other = LogColumns(checked({**CONFIG, "evaluation": {"group_by": "city"}}), COLUMNS, {})
    with pytest.raises(DataError, match="the column 'city', which is no feature and no label"):
        other.check([*LOGGED, "item"], exposures)


def test_the_position_has_the_config_s_name(tmp_path: Path, exposures: Path) -> None:
    position = {"method": "additive", "column": "slot"}
    columns = LogColumns(checked({**CONFIG, "position": position}), COLUMNS, {})
    write(shown(("a", "u1", 0, [5, 6])), exposures)
    joined(exposures, found(tmp_path), columns, tmp_path / "log", LABELS)
    (file,) = (tmp_path / "log").glob("date=*/*.parquet")
    assert pq.ParquetFile(file).read()["slot"].to_pylist() == [1, 2]
    assert "position" not in pq.read_schema(file).names


def test_hashed_users_are_found_with_the_salt(tmp_path: Path, exposures: Path, columns: LogColumns) -> None:
    table = shown(("a", hashed_unit("u1", "salt"), 0, [5]))
    write(table, exposures, hashed=True)
    told = events(tmp_path / "e.parquet", (None, 5, "click", 1), (None, 5, "watch_time", 1, 2.0), user="u1")
    with pytest.raises(DataError, match=r"units are hashed, and these events name users.*--unit-salt-file"):
        joined(exposures, told, columns, tmp_path / "log", LABELS)
    result = joined(exposures, told, columns, tmp_path / "log", LABELS, salt="salt")
    assert result.events[Fate.COUNTED] == 2
    other = joined(exposures, told, columns, tmp_path / "other", LABELS, salt="pepper")
    assert other.events[Fate.ORPHAN] == 2
    users = Lookup(pa.table({"id": ["u1"], "city": ["Bern"]}), "id", "users", "salt")
    assert users.rows(table["unit"])["table"]["city"].to_pylist() == ["Bern"]


def test_a_salt_for_users_that_are_not_hashed_is_a_mistake(
    tmp_path: Path, exposures: Path, columns: LogColumns
) -> None:
    write(shown(("a", "u1", 0, [5])), exposures)
    told = events(tmp_path / "e.parquet", (None, 5, "click", 1), (None, 5, "watch_time", 1, 2.0), user="u1")
    with pytest.raises(DataError, match="units are not hashed; leave --unit-salt-file out"):
        joined(exposures, told, columns, tmp_path / "log", LABELS, salt="salt")


@pytest.mark.parametrize(
    ("ids", "reason"),
    [([1, 1], "has the id '1' more than once"), ([1, None], r"has 1 row\(s\) without an id")],
)
def test_ids_of_a_file_are_there_once(ids: list[int | None], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Lookup(pa.table({"id": ids}), "id", "items")


def test_files_of_items_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"item_id": [5], "duration_s": [1.0]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"item_id": [6], "duration_s": [2]}).to_parquet(tmp_path / "b.parquet")
    found = Lookup.read("--items", tmp_path, "item_id", ["duration_s"])
    assert found.rows(pa.array([6, 5]))["table"]["duration_s"].to_pylist() == [2.0, 1.0]
    pd.DataFrame({"item_id": ["seven"]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"--items .*: its files have columns of different types"):
        Lookup.read("--items", tmp_path, "item_id", ["duration_s"])


def test_a_file_of_items_without_the_id_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"item": [5]}).to_parquet(tmp_path / "items.parquet")
    with pytest.raises(DataError, match=r"--items .*has no column 'item_id', the id \(columns: item\)"):
        Lookup.read("--items", tmp_path / "items.parquet", "item_id", [])


MOMENT = datetime(2026, 1, 31, 18, 30, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("times", MOMENT),
        ("dates", 20260131),
        ("days", 20484),
        ("seconds", 1769884200),
        ("milliseconds", 1769884200250),
        ("microseconds", 1769884200250000),
        ("nanoseconds", 1769884200250000000),
    ],
)
def test_times_are_written_as_in_the_log_before(unit: str, expected: object) -> None:
    times = pa.chunked_array([pa.array([MOMENT], pa.timestamp("ms", tz="UTC"))])
    assert FORMS[unit](times).to_pylist() == [expected]


def test_times_are_written_in_the_split_s_format() -> None:
    times = pa.chunked_array([pa.array([MOMENT, MOMENT], pa.timestamp("ms", tz="UTC"))])
    assert text_form("%d/%m/%Y")(times).to_pylist() == ["31/01/2026"] * 2
