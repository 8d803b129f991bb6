"""Slices of rows by a column."""

import numpy as np

from training.promotion.slices import slices_of


def values(**counts):
    return np.array([name for name, count in counts.items() for _ in range(count)], dtype=object)


def found(column, least):
    slices, notes = slices_of("tab", column, least)
    return [(one.name, one.rows) for one in slices], notes


def test_rare_values_are_one_slice_together():
    slices, notes = found(values(a=5, b=20, c=4, d=30), 8)
    assert slices == [("tab = d", 30), ("tab = b", 20), ("tab: others", 9)]
    assert notes == ["tab: values of 9 rows, 2 in number, are one slice: each has fewer than 8 rows"]


def test_too_few_rows_are_left_out_and_said_to_be():
    slices, notes = found(values(a=5, b=20), 8)
    assert slices == [("tab = b", 20)]
    assert notes == ["tab: values of 5 rows, 1 in number, have too few rows for a slice of 8, also together"]
    assert found(values(a=9, b=20), 8)[1] == []


def test_there_are_at_most_fifty_slices_and_the_rest():
    column = values(**{f"v{i:02}": 100 - i for i in range(60)})
    slices, notes = found(column, 1)
    assert len(slices) == 51
    assert slices[0] == ("tab = v00", 100)
    assert slices[-1] == ("tab: others", sum(100 - i for i in range(50, 60)))
    assert "or is not among the 50 largest" in notes[0]


def test_masks_have_the_rows():
    column = values(a=5, b=20, c=4)
    slices, _ = slices_of("tab", column, 1)
    for one in slices:
        assert set(column[one.mask]) == {one.name.removeprefix("tab = ")}
