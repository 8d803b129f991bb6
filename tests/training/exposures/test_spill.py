from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ranker.encoding.text import text_hash
from training.exposures.key_index import KeyIndex, SortedKeys
from training.exposures.keys import as_text, hashes, paired
from training.exposures.spill import Spill, bits_for, leading


def test_parts_have_their_records_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill", [("key", "u8"), ("value", "f8")], 4)
    for start in (0, 10):
        keys = np.arange(start, start + 10).astype(np.uint64)
        spill.add((keys % 4).astype(np.int64), key=keys, value=keys / 2)
    spill.add(np.zeros(0, np.int64), key=np.zeros(0, np.uint64), value=np.zeros(0))
    assert spill.read(3)["key"].tolist() == [3, 7, 11, 15, 19]
    assert spill.read(3)["value"].tolist() == [1.5, 3.5, 5.5, 7.5, 9.5]
    spill.close()
    assert not (tmp_path / "spill").exists()


def test_parts_by_leading_bits_ascend() -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, 1000, dtype=np.uint64)
    parts = leading(keys, 3)
    assert parts.min() == 0
    assert parts.max() == 7
    assert (np.diff(parts[np.argsort(keys)]) >= 0).all()
    assert leading(keys, 0).max() == 0
    assert [bits_for(count, 100) for count in (0, 100, 101, 250, 10**9)] == [0, 0, 1, 2, 10]


def test_sorted_files_know_their_keys(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "empty"]
    for file, parts in zip(files, ([[3, 1, 1], [9, 7]], [[5]], []), strict=True):
        written = SortedKeys(file)
        for part in parts:
            written.add(np.array(part, dtype=np.uint64))
    index = KeyIndex(files)
    assert index.holds(np.arange(11).astype(np.uint64)).nonzero()[0].tolist() == [1, 3, 5, 7, 9]
    assert 7 in index
    assert 8 not in index
    assert not KeyIndex([]).holds(np.array([1], dtype=np.uint64)).any()


def test_hashes_are_those_of_the_text() -> None:
    texts = pa.array(["a", None, "a longer text", "", "a"])
    expected = [text_hash(b"a"), 0, text_hash(b"a longer text"), text_hash(b""), text_hash(b"a")]
    assert hashes(texts).tolist() == expected
    assert hashes(texts.slice(1, 3)).tolist() == expected[1:4]
    one, other = hashes(pa.array(["a"])), hashes(pa.array(["b"]))
    assert paired(one, other) != paired(other, one)


def test_ids_of_any_type_are_the_same_text() -> None:
    for ids in (
        pa.array([7]),
        pa.array([7.0]),
        pa.array(["7"]),
        pa.array(["7"]).dictionary_encode(),
        pa.array([7], pa.int8()),
    ):
        assert as_text(ids, "").to_pylist() == ["7"]
    assert as_text(pa.array([7.5, None]), "").to_pylist() == ["7.5", None]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(12, 3)])
def test_ids_of_numbers_with_a_point_are_whole_where_they_can_be(kind: pa.DataType) -> None:
    ids = pa.array([7, -3, None], pa.int64()).cast(pa.float64()).cast(kind)
    assert as_text(ids, "").to_pylist() == ["7", "-3", None]
    assert as_text(pa.array([10, 100], pa.decimal128(12, 0)), "").to_pylist() == ["10", "100"]


def test_a_number_that_is_none_is_no_id() -> None:
    ids = as_text(pa.array([np.nan, 1e19, 2.0**60, np.inf, None]), "").to_pylist()
    assert ids == [None, "1e+19", str(2**60), "inf", None]
