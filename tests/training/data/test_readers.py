"""Several readers: every row once, the same whoever reads them, each reading its own chunks."""

import numpy as np
import pytest

from ranker.rank_losses import LISTS
from tests.training.data.test_batches import rows
from tests.training.data.test_listed_rows import rows as listed  # noqa: F401
from training.data.readers import Order, batches_of, pieces, steps_of

READERS = 4


def read(encoded, own=None, **changes):
    order = Order(**{"batch_size": 32, "shuffle_rows": 120, "seed": 0, "epoch": 0, **changes})
    return list(batches_of(encoded, order, READERS, own))


def numbers(batches, name="x"):
    return [batch[name].tolist() for batch in batches]


def flat(parts):
    return [number for part in parts for number in part]


def test_an_epoch_has_every_row_once_in_batches_of_one_size(tmp_path):
    batches = read(rows(tmp_path))
    assert sorted(flat(numbers(batches))) == list(range(300))
    assert len(batches) == steps_of(rows(tmp_path), 32, READERS) == 10
    assert {len(batch["x"]) for batch in batches} <= {29, 30, 31}
    assert all(len({x * READERS // 300 for x in batch["x"].tolist()}) == READERS for batch in batches)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_does_not_matter_how_many_processes_share_the_readers(tmp_path, workers):
    encoded, share = rows(tmp_path), READERS // workers
    parts = [numbers(read(encoded, range(w * share, (w + 1) * share))) for w in range(workers)]
    together = [flat(step) for step in zip(*parts, strict=True)]
    assert together == numbers(read(encoded))


def test_seed_epoch_and_skipped_steps(tmp_path):
    encoded = rows(tmp_path)
    assert numbers(read(encoded, epoch=1)) != numbers(read(encoded)) != numbers(read(encoded, seed=1))
    assert numbers(read(encoded, skip=7)) == numbers(read(encoded))[7:]
    assert numbers(read(encoded, shuffle_rows=1)) != numbers(read(encoded))


def test_a_reader_reads_its_own_chunks(tmp_path):
    encoded = rows(tmp_path, sizes=(60, 60, 60, 60))
    assert [[piece.chunk for piece in pieces(encoded, number, 4)] for number in range(4)] == [[0], [1], [2], [3]]
    assert [tuple(piece) for piece in pieces(encoded, 1, 3)] == [(1, 20, 60), (2, 0, 40)]


def test_fewer_rows_than_readers(tmp_path):
    batches = read(rows(tmp_path, sizes=(2, 1)), batch_size=4)
    assert sorted(flat(numbers(batches))) == [0, 1, 2]
    empty = read(rows(tmp_path, sizes=(2, 1)), own=[0], batch_size=4)
    assert [batch["y"].shape for batch in empty] == [(0, 2)]


@pytest.mark.parametrize("shuffle_rows", [1, 150, 10_000])
def test_lists_stay_whole(listed, shuffle_rows):  # noqa: F811
    keys, encoded = listed
    batches = read(encoded, shuffle_rows=shuffle_rows)
    assert sorted(flat(numbers(batches, "row"))) == list(range(len(keys)))
    owners = [set(batch[LISTS][batch[LISTS] > 0]) for batch in batches]
    assert len(set().union(*owners)) == sum(map(len, owners))
    parts = [numbers(read(encoded, [number], shuffle_rows=shuffle_rows), "row") for number in range(READERS)]
    assert [flat(step) for step in zip(*parts, strict=True)] == numbers(batches, "row")
    assert max(len(batch["row"]) for batch in batches) < 3 * 32


def test_one_reader_reads_as_ever(tmp_path):
    encoded = rows(tmp_path)
    order = Order(32, 120, seed=0, epoch=0, skip=2)
    np.testing.assert_equal(numbers(batches_of(encoded, order, 1)), numbers(encoded.batches(32, 120, 0, 0, 2)))
