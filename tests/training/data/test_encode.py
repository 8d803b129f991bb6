"""Folds, groups and columns of every kind, as the two passes over a log read them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.log_files.log_reader import DataError, Log
from tests.training.stored import file_of
from training.config.experiment import Experiment
from training.data.encode import GROUP, NO_GROUP, columns_at, encode_all, prepare
from training.data.split.held_out import split

ROWS = 200


def frame(seed=0, **columns):
    random = np.random.default_rng(seed)
    values = {
        "user": random.integers(0, 9, ROWS),
        "item": random.integers(0, 20, ROWS),
        "price": random.random(ROWS),
        "click": random.integers(0, 2, ROWS),
    }
    return pd.DataFrame({**values, **columns})


def experiment(group_by=None, fold_by=None, price="numeric", item_type=None, **data):
    statistics = {"label_statistics": {"of": ["item"], "fold_by": fold_by, "folds": 3}} if fold_by else {}
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.3}, **data},
            "schema": {
                "context": {"user": {"kind": "categorical"}},
                "candidate": {"item": {"kind": "categorical", "type": item_type}, "price": {"kind": price}},
                "tasks": {"click": {"kind": "binary"}},
                **statistics,
            },
            "architecture": {"name": "shared_bottom"},
            "evaluation": {"group_by": group_by},
        }
    )


def test_a_bad_value_to_fold_by_names_its_row_in_the_file(tmp_path):
    days = np.array([None, *["2024-01-01"] * (ROWS - 1)], dtype=object)
    pq.write_table(pa.Table.from_pandas(frame(day=days)), tmp_path / "a.parquet")
    late = pa.Table.from_pandas(frame(1, day=[1] * ROWS))
    pq.write_table(late, tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"column 'day' holds text in .*a\.parquet .* and numbers in .*b\.parquet"):
        prepare(experiment(fold_by="day"), Log([tmp_path]), tmp_path / "out")
    wrong = frame(day=[0.5 if row == ROWS - 1 else float(row) for row in range(ROWS)])
    with pytest.raises(DataError, match=rf"row {ROWS - 1}, column 'day': 0\.5 is not a whole number"):
        prepare(experiment(fold_by="day"), Log([file_of(wrong)]), tmp_path / "out")


@pytest.mark.parametrize("place", ["group_by", "fold_by"])
def test_lists_where_one_value_is_due_are_named(tmp_path, place):
    with pytest.raises(DataError, match=r"row \d+, column 'day': \[1, 2\] is not one id per row"):
        prepare(experiment(**{place: "day"}), Log([file_of(frame(day=[[1, 2]] * ROWS))]), tmp_path)
    with pytest.raises(
        DataError, match=r"column 'day' is of type list<.*list<.*, which features and labels cannot have"
    ):
        prepare(experiment(**{place: "day"}), Log([file_of(frame(day=[[[1, 2]]] * ROWS))]), tmp_path)


@pytest.mark.parametrize(
    "values",
    [["plumless", "buckeroo", None], ["plumless", "buckeroo", ""], [2**60 + 1, 2**60 + 2, None], [1.0, 2.0, None]],
)
def test_groups_are_told_apart_and_a_null_is_none(tmp_path, values):
    log = frame(session=pd.array(values * (ROWS // 3) + values[: ROWS % 3]).astype(object))
    plan = experiment(group_by="session")
    prepared = prepare(plan, Log([file_of(log)]), tmp_path)
    (batch,) = encode_all(plan.log_schema, prepared.encoder, Log([file_of(log)]), "session")
    keys = batch[GROUP]
    assert len(set(keys.tolist())) == 3
    np.testing.assert_array_equal(keys == NO_GROUP, log["session"].isna() | (log["session"] == ""))


def test_a_column_of_times_in_one_file_and_numbers_in_another_is_one_error(tmp_path):
    pq.write_table(pa.Table.from_pandas(frame(price=pd.to_datetime("2024-01-01"))), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pandas(frame()), tmp_path / "b.parquet")
    with pytest.raises(
        DataError, match=r"column 'price' holds dates or times in .*a\.parquet .* and numbers in .*b\.pa"
    ):
        prepare(experiment(), Log([tmp_path]), tmp_path / "out")
    plan = experiment()
    encoder = prepare(plan, Log([tmp_path / "a.parquet"]), tmp_path / "out").encoder
    assert encoder.temporal == frozenset({"price"})
    with pytest.raises(DataError, match=r"b\.parquet, row 0, column 'price': 0\.\d+ is not a time"):
        list(encode_all(plan.log_schema, encoder, Log([tmp_path / "b.parquet"]), None))


def test_nanoseconds_before_1970_are_rounded_down(tmp_path):
    table = pa.Table.from_pandas(frame()).drop_columns("price")
    times = pa.array([-1] * ROWS, pa.timestamp("ns"))
    pq.write_table(table.append_column("price", times), tmp_path / "a.parquet")
    (chunk,) = Log([tmp_path]).chunks(["price"])
    assert set(chunk.columns["price"].view(np.int64).tolist()) == {-1}


def test_raw_columns_are_plain_values(tmp_path):
    day = [np.datetime64("1970-01-02") if row % 2 else None for row in range(ROWS)]
    log = frame(day=pd.array(day, dtype="datetime64[us]"), name=["a" if row % 2 else None for row in range(ROWS)])
    plan = experiment()
    found = columns_at(plan.log_schema, split(Log([file_of(log)]), plan.data.split, 0), ["day", "name"])
    assert set(zip(found["day"], found["name"], strict=True)) == {(None, None), (86_400_000_000, "a")}


def test_raw_ids_are_of_the_declared_type_as_fusions_meet_them_in_serving():
    plan = experiment(item_type="string")
    found = columns_at(plan.log_schema, split(Log([file_of(frame())]), plan.data.split, 0), ["item"])
    assert {type(value) for value in found["item"]} == {str}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"price": np.where(np.arange(ROWS) == 7, np.inf, 1.0)}, r"row 7, column 'price': inf is not a finite number"),
        ({"price": ["cheap"] * ROWS}, r"row \d+, column 'price': 'cheap' is not a number"),
        (
            {"price": pd.to_timedelta([1] * ROWS)},
            r"column 'price' is of type duration\[ns\], which features and labels cannot have",
        ),
        ({"item": [2.0**53] * ROWS}, r"row \d+, column 'item': 9007199254740992\.0 is not an exact id"),
    ],
)
def test_values_that_cannot_be_read_are_named(tmp_path, change, error):
    with pytest.raises(DataError, match=rf"\.parquet.*{error}"):
        prepare(experiment(), Log([file_of(frame(**change))]), tmp_path)


def test_a_column_twice_is_named(tmp_path):
    table = pa.Table.from_pandas(frame())
    pq.write_table(table.append_column("price", table["price"]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet has the column 'price' more than once"):
        prepare(experiment(), Log([tmp_path]), tmp_path / "out")


def test_training_rows_get_statistics_of_earlier_days_and_validation_rows_those_of_all(tmp_path):
    day = np.repeat([f"2026-01-{day:02}" for day in range(1, 6)], ROWS // 5)
    log = frame(day=np.random.default_rng(2).permutation(day))
    base = experiment(split={"by": "time", "column": "day", "last": 1}).model_dump(mode="json", by_alias=True)
    statistics = {"of": ["item"], "smoothing": 1, "windows": [1], "past_only": True}
    plan = Experiment.model_validate({**base, "schema": {**base["schema"], "label_statistics": statistics}})
    prepared = prepare(plan, Log([file_of(log)]), tmp_path)
    found = prepared.encoder.statistics["item",]
    scale, shift = (np.concatenate([getattr(s, part) for s in (found, *found.recent)]) for part in ("scale", "shift"))

    def counts(rows):
        """Counts of rows [N, 2] on all days before, and on the day before."""
        parts = [batch["candidate_numbers"] for batch in rows.chunks()]
        return np.expm1((np.concatenate(parts)[:, 1:] / scale + shift)[:, [0, 2]])

    trained = log[log["day"] < "2026-01-05"].reset_index(drop=True)

    def expected(item, before):
        past = trained[(trained["item"] == item) & (trained["day"] < before)]
        return [len(past), (past["day"] == f"{before[:-1]}{int(before[-1]) - 1}").sum()]

    of_training = [expected(*row) for row in zip(trained["item"], trained["day"], strict=True)]
    np.testing.assert_allclose(counts(prepared.training), of_training, atol=1e-3)
    held_out = log[log["day"] == "2026-01-05"]
    of_validation = [expected(item, "2026-01-05") for item in held_out["item"]]
    np.testing.assert_allclose(counts(prepared.validation), of_validation, atol=1e-3)


@pytest.mark.parametrize("option", [{"windows": [3]}, {"half_lives": [3]}, {"past_only": True}])
def test_statistics_of_past_days_need_a_column_of_days(option):
    base = experiment().model_dump(mode="json", by_alias=True)
    schema = {**base["schema"], "label_statistics": {"of": ["item"], **option}}
    (name,) = option
    with pytest.raises(ValueError, match=f"schema.label_statistics.{name}: needs the day of each row; set daily.day"):
        Experiment.model_validate({**base, "schema": schema})
