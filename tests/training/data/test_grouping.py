import numpy as np
import pytest

from ranker.encoding import ColumnError, Ragged
from training.data.grouping import NO_GROUP, Grouping


def test_equal_values_have_equal_keys_and_nulls_none():
    keys = Grouping("user").of({"user": ["a", None, "b", "a", ""]})
    assert keys[0] == keys[3] != keys[2]
    assert (keys == NO_GROUP).tolist() == [False, True, False, False, True]
    numbers = Grouping("user").of({"user": np.ma.MaskedArray([1, 2, 1], [False, True, False])})
    assert numbers[0] == numbers[2] != NO_GROUP
    assert numbers[1] == NO_GROUP


def test_a_list_is_no_key():
    with pytest.raises(ColumnError, match="column 'tags'"):
        Grouping("tags").of({"tags": Ragged(np.array([1, 2]), np.array([0, 2]))})
