import numpy as np
import pytest

from ranker.encoding.columns import ColumnError
from ranker.funnels import EntireSpace
from ranker.log_files.log_reader import DataError
from ranker.position import POSITION
from tests.training.conftest import QUICK
from training.config.experiment import checked
from training.data.batches import EncodedWriter
from training.data.positions import encode_positions, rates_by_place, require_first, rows_by_place


def experiment(**options):
    return checked({**QUICK, "position": {"column": "position", "method": "multiplicative", "positions": 3, **options}})


def encoded(values, **options):
    return encode_positions(experiment(**options), {"position": values})[POSITION]


def test_nulls_are_minus_one():
    assert encoded(np.array([1.0, np.nan, 7])).tolist() == [1, -1, 7]
    assert encoded([0, None], first=0).tolist() == [0, -1]
    assert encoded([1]).dtype == np.int32
    assert encode_positions(checked(QUICK), {}) == {}


@pytest.mark.parametrize("value", [0, -3, 2.5, "top", 2**31])
def test_an_error_names_column_value_and_row(value):
    with pytest.raises(ColumnError, match=rf"column 'position', row 1: '?{value}'? is not") as caught:
        encoded([1, value])
    assert caught.value.row == 1


def test_the_error_of_a_position_before_the_first_says_which_is():
    with pytest.raises(ColumnError, match=r"0 is not a position of at least 1, the first \(position.first\)"):
        encoded([0, 1])


def rows_of(folder, positions, labels=None):
    writer = EncodedWriter(folder)
    for part in np.array_split(np.arange(len(positions)), 2):
        label = np.zeros((len(part), 3)) if labels is None else np.asarray(labels, np.float32)[part]
        writer.write({"labels": label, "known": np.ones_like(label), POSITION: np.asarray(positions, np.int32)[part]})
    return writer.close()


def test_rows_and_smoothed_rates_of_each_place(tmp_path):
    options = experiment().position
    click = np.array([1, 0, 0, 1, 0])
    rows = rows_of(tmp_path / "rows", [1, 1, -1, 3, 9], np.stack([click, click, click], axis=1))
    assert rows_by_place(options, rows).tolist() == [1, 2, 0, 2]
    rates = rates_by_place(options, rows, EntireSpace(experiment().log_schema))
    assert list(rates) == ["click"]
    mean = 20 * 0.4
    np.testing.assert_allclose(rates["click"], [mean / 21, (1 + mean) / 22, 0.4, (1 + mean) / 22])


def test_some_row_must_be_at_the_first_place(tmp_path):
    require_first(experiment(first=2).position, rows_of(tmp_path / "a", [2, 5]))
    with pytest.raises(DataError, match=r"no training row has position 1 in column 'position'.*set position.first: 2"):
        require_first(experiment().position, rows_of(tmp_path / "b", [-1, 5, 2]))
    with pytest.raises(DataError, match=r"all training rows with a position were shown at place 1 of 'position'"):
        require_first(experiment().position, rows_of(tmp_path / "d", [-1, 1, 1]))
    with pytest.raises(DataError, match="'position' is null in all training rows"):
        require_first(experiment().position, rows_of(tmp_path / "c", [-1, -1]))
