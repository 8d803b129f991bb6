import numpy as np
import pytest

from training.data.batches import EncodedRows, EncodedWriter


def rows(tmp_path, sizes=(100, 37, 64, 99)):
    writer = EncodedWriter(tmp_path / "rows")
    start = 0
    for size in sizes:
        writer.write({"x": np.arange(start, start + size), "y": np.ones((size, 2), np.float32)})
        start += size
    return writer.close()


def order(encoded, **way):
    return np.concatenate(
        [batch["x"] for batch in encoded.batches(**{"batch_size": 32, "shuffle_rows": 120, "seed": 0, **way})]
    )


def test_an_epoch_is_a_permutation_by_seed_and_epoch(tmp_path):
    encoded = rows(tmp_path)
    first, again, next_epoch, other = (order(encoded, epoch=e, seed=s) for e, s in ((0, 0), (0, 0), (1, 0), (0, 1)))
    assert sorted(first.tolist()) == list(range(300)) == sorted(next_epoch.tolist())
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_epoch)
    assert not np.array_equal(first, other)


def test_batches_are_whole_but_for_the_last(tmp_path):
    encoded = rows(tmp_path)
    sizes = [len(b["x"]) for b in encoded.batches(32, 120, seed=0, epoch=0)]
    assert sizes == [32] * 9 + [12]
    assert encoded.steps(32) == 10


@pytest.mark.parametrize("skip", [0, 1, 5, 9])
def test_skipping_gives_the_same_tail(tmp_path, skip):
    encoded = rows(tmp_path)
    np.testing.assert_array_equal(order(encoded, epoch=2, skip=skip), order(encoded, epoch=2)[skip * 32 :])


def test_an_unfinished_folder_is_not_opened(tmp_path):
    EncodedWriter(tmp_path / "rows").write({"x": np.arange(3)})
    with pytest.raises(FileNotFoundError):
        EncodedRows.open(tmp_path / "rows")
