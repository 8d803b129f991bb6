import numpy as np
import pytest

from training.data.array_files import Rows, mapped_arrays, write_arrays


def test_arrays_are_written_in_parts_and_read_back_mapped(tmp_path):
    table = np.arange(24, dtype=np.float32).reshape(8, 3)
    parts = Rows(table.shape, table.dtype, lambda: (table[start : start + 3] for start in (0, 3, 6)))
    others = {"scalar": np.float64(2.5), "empty": np.zeros((0, 3), np.int32), "a/b|m": np.arange(5)}
    write_arrays(tmp_path / "x.npz", {"table": parts, **{n: Rows.of(np.asarray(a)) for n, a in others.items()}})
    mapped = mapped_arrays(tmp_path / "x.npz")
    assert isinstance(mapped["table"], np.memmap)
    with np.load(tmp_path / "x.npz") as loaded:
        for name, array in {"table": table, **others}.items():
            np.testing.assert_array_equal(mapped[name], array)
            np.testing.assert_array_equal(loaded[name], array)
            assert mapped[name].dtype == np.asarray(array).dtype


def test_files_of_numpy_are_mapped_too(tmp_path):
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.savez(tmp_path / "x.npz", turned=turned)
    np.testing.assert_array_equal(mapped_arrays(tmp_path / "x.npz")["turned"], turned)


def test_what_cannot_be_mapped_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "small.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npy is compressed"):
        mapped_arrays(tmp_path / "small.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match="zip"):
        mapped_arrays(tmp_path / "broken.npz")
    with pytest.raises(FileNotFoundError):
        mapped_arrays(tmp_path / "none.npz")
