from pathlib import Path

import numpy as np
import pytest

from ranker.schema import Schema
from training.exposures.labels import (
    LABEL_KINDS,
    MATCHED,
    RANGE,
    Label,
    RowLabels,
    added_up,
    check_labels,
    label,
    labels_of,
)
from training.exposures.spill import Spill


def test_labels_are_read_from_text() -> None:
    assert label("watch_time=watch:sum") == Label("watch_time", "watch", "sum")
    assert label(" a = b c :any ") == Label("a", "b c", "any")
    assert str(label("x=y:last")) == "x=y:last"


@pytest.mark.parametrize("text", ["", "click", "click=any", "=click:any", "click=:any", "click=click:"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be COLUMN=EVENT:KIND"):
        label(text)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="no kind of label is named 'sun'; did you mean 'sum'"):
        label("click=click:sun")
    with pytest.raises(ValueError, match="the column 'a' has another label already"):
        check_labels([Label("a", "b", "any"), Label("a", "c", "any")])


def test_a_schema_s_labels_are_those_that_its_tasks_read() -> None:
    tasks = {
        "click": {"kind": "binary"},
        "watch_time": {"kind": "regression", "given": "click", "mask": "watched"},
        "liked": {"kind": "binary", "column": "like"},
        "worth": {"kind": "regression", "label": "3 * like + share"},
        "rel": {"kind": "relevance", "column": "grade"},
    }
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    assert list(map(str, labels_of(schema))) == [
        "click=click:any", "watch_time=watch_time:sum", "like=like:any", "share=share:sum", "grade=grade:last",
    ]  # fmt: skip


def added(kind: str) -> list[float]:
    """Of four rows: no event; one; three, of which the last comes first; and one of another kind."""
    row = np.array([2, 1, 2, 2, 3])
    time = np.array([30, 5, 10, 20, 1])
    code = np.array([0, 0, 0, 0, 1])
    value = np.array([3.0, -2.0, 5.0, 0.5, 9.0])
    identity = np.arange(5).astype(np.uint64)
    found = added_up([Label("x", "a", kind)], 4, row, time, ["a", "b"], code, value, identity)
    return found["x"].tolist()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("any", [0, 1, 1, 0]),
        ("count", [0, 1, 3, 0]),
        ("sum", [0, -2, 8.5, 0]),
        ("max", [None, -2, 5, None]),
        ("last", [None, -2, 3, None]),
    ],
)
def test_kinds_add_the_values_of_a_row_up(kind: str, expected: list[float | None]) -> None:
    assert [None if np.isnan(value) else value for value in added(kind)] == expected
    assert kind in LABEL_KINDS


def test_every_kind_has_a_line_above() -> None:
    assert set(LABEL_KINDS) == {"any", "count", "sum", "max", "last"}


def test_rows_of_several_ranges_are_added_up_range_by_range(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "matched", MATCHED, 3)
    rows = np.array([2 * RANGE + 1, 3, RANGE - 1, 3])
    columns = {"time": rows, "code": rows * 0, "value": np.array([1.0, 2.0, 4.0, 8.0]), "identity": rows}
    spill.add(rows // RANGE, row=rows, **columns)
    labels = RowLabels(spill, [Label("x", "a", "sum")], ["a"])
    assert labels.of(np.array([2, 3, RANGE - 1, RANGE, 2 * RANGE + 1]))["x"].tolist() == [0, 10, 4, 0, 1]
