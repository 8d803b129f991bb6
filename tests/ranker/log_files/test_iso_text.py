"""Logs read times by the same rule as requests, in CSV columns of numbers and in the column of a split."""

import numpy as np
import pyarrow as pa
import pytest

from ranker.iso_times import microseconds
from ranker.log_files.csv_values import converted
from ranker.log_files.iso_text import is_iso
from tests.ranker.test_iso_times import FORMS, NO_DAY, OTHER_FORMS
from training.data.split.time_column import parse


def test_the_column_of_a_split():
    instants, good = parse(list(FORMS))
    assert good.all()
    assert instants.tolist() == [microseconds(text) for text in FORMS]
    assert not parse([*OTHER_FORMS, *NO_DAY])[1].any()


def test_a_csv_column_of_numbers():
    found = converted(pa.array([*FORMS, None]), "t", "number")
    assert found.cast(pa.int64()).to_pylist() == [*(microseconds(text) for text in FORMS), None]


@pytest.mark.parametrize("text", FORMS)
def test_alone_each_is_read_as_beside_others(text):
    assert parse([text])[0].tolist() == converted(pa.array([text]), "t", "number").cast(pa.int64()).to_pylist()


def test_other_forms_are_none():
    assert not np.any(is_iso(pa.array(OTHER_FORMS)))
