"""Values of candidates as fusions read them."""

import numpy as np

from ranker.inference.pool import raw_values


def test_whole_numbers_with_missing_ones_are_floats_unless_these_would_merge_them():
    small = raw_values(np.ma.MaskedArray([7, 8], [False, True]))
    assert small[0] == 7.0
    assert np.isnan(small[1])
    large = raw_values(np.ma.MaskedArray([2**62, 2**62 + 1, 0], [False, False, True]))
    assert large.tolist() == [2**62, 2**62 + 1, None]
    assert raw_values(np.ma.MaskedArray([2**62, 5], [False, False])).tolist() == [2**62, 5]
    assert raw_values(np.ma.MaskedArray([0.5, 1.0], [False, True]))[0] == 0.5
