import numpy as np
import pytest

from ranker.encoding import ColumnError
from tests.ranker.conftest import columns_of

CONTEXT = {"user": [1], "city": ["Bern"], "age": [30.0], "history": [[1, 2]]}
CANDIDATE = {"item": [1, 2], "tags": ["0,1", None], "length": [3.0, None], "vector": [[1, 2, 3], None]}


def test_unused_columns_are_ignored(rows):
    plain = rows.encoder.encode(CONTEXT, CANDIDATE)
    more = rows.encoder.encode({**CONTEXT, "note": [object()]}, {**CANDIDATE, "note": [1, 2, 3]})
    for array, other in zip(plain, more, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("name", [*CONTEXT, *CANDIDATE])
def test_a_missing_column_is_reported(rows, name):
    context, candidate = ({n: c for n, c in side.items() if n != name} for side in (CONTEXT, CANDIDATE))
    with pytest.raises(ColumnError, match=f"column '{name}', row 0: None is not a value; the column is missing"):
        rows.encoder.encode(context, candidate)


@pytest.mark.parametrize("name", CANDIDATE)
@pytest.mark.parametrize("length", [0, 1])
def test_a_column_of_another_length_is_rejected(rows, name, length):
    with pytest.raises(ColumnError, match=f"column '{name}', row {length}: None is not a value; other columns have 2"):
        rows.encoder.encode(CONTEXT, {**CANDIDATE, name: CANDIDATE[name][:length]})


def test_several_context_rows_must_match_the_number_of_candidates(rows):
    context = {name: column * 3 for name, column in CONTEXT.items()}
    with pytest.raises(ValueError, match="3 context rows for 2 candidates: expected 1, or one per candidate"):
        rows.encoder.encode(context, CANDIDATE)


def test_no_candidates(rows):
    packed = rows.encoder.encode(CONTEXT, {name: [] for name in CANDIDATE})
    assert [array.shape for array in packed] == [
        (1, rows.packed.context_ids.shape[1]),
        (1, rows.packed.context_numbers.shape[1]),
        (0, rows.packed.candidate_ids.shape[1]),
        (0, rows.packed.candidate_numbers.shape[1]),
    ]


def test_arrays_are_32_bit_contiguous_and_within_their_tables(rows):
    for array, dtype in zip(rows.packed, [np.int32, np.float32, np.int32, np.float32], strict=True):
        assert array.dtype == dtype
        assert array.flags.c_contiguous
    for ids, side in ((rows.packed.context_ids, "context"), (rows.packed.candidate_ids, "candidate")):
        assert ids.min() >= 0
        for field in getattr(rows.encoder.layout, side).ids:
            rows_of_table = rows.encoder.layout.tables[field.dimension]
            assert ids[:, field.start : field.start + field.length].max() + field.offset < rows_of_table


def test_rows_are_encoded_independently(rows):
    columns = columns_of(50, seed=4)
    whole = rows.encoder.encode(columns, columns)
    for start, end in ((0, 1), (1, 20), (20, 50)):
        part = {name: column[start:end] for name, column in columns.items()}
        for array, other in zip(whole, rows.encoder.encode(part, part), strict=True):
            np.testing.assert_array_equal(array[start:end], other)
