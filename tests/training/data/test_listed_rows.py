import numpy as np
import pytest

from ranker.log_files.log_reader import DataError
from ranker.rank_losses import LISTS
from training.data import listed_rows
from training.data.batches import EncodedWriter
from training.data.listed_rows import check_sizes, dealt, lists_of, opened, pieces_of, regrouped, without_order

ROWS, LONGEST = 500, 9


def written(folder, keys, chunk=70):
    """Encoded rows of these list keys [N], numbered in ``row``, in chunks."""
    writer = EncodedWriter(folder)
    for start in range(0, len(keys), chunk):
        part = np.asarray(keys[start : start + chunk], dtype=np.int64)
        writer.write({"row": np.arange(start, start + len(part)), LISTS: part})
    return writer.close()


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Lists of 1 to 9 rows that are spread over the log, and 20 rows of no list, in several parts."""
    monkeypatch.setattr(listed_rows, "PART_ROWS", 100)
    random = np.random.default_rng(0)
    keys = np.repeat(random.integers(1, 1 << 40, ROWS), random.integers(1, LONGEST + 1, ROWS))[: ROWS - 20]
    keys = random.permutation(np.concatenate([keys, np.zeros(20, np.int64)]))
    regrouped(written(tmp_path / "plain", keys), tmp_path / "listed")
    return keys, opened(tmp_path / "listed")


def test_regrouping_keeps_every_row_and_brings_lists_together(rows):
    keys, listed = rows
    chunks = list(listed.chunks())
    assert len(chunks) == 5
    found = np.concatenate([chunk["row"] for chunk in chunks])
    assert sorted(found) == list(range(ROWS))
    np.testing.assert_array_equal(keys[found], np.concatenate([chunk[LISTS] for chunk in chunks]))
    owners = [set(chunk[LISTS][chunk[LISTS] > 0]) for chunk in chunks]
    assert len(set().union(*owners)) == sum(map(len, owners))
    for chunk in chunks:  # rows of a list keep the log's order
        same = chunk[LISTS][1:] == chunk[LISTS][:-1]
        assert (np.diff(chunk["row"])[same] > 0).all()


@pytest.mark.parametrize(("batch_size", "shuffle_rows"), [(32, 1), (32, 150), (9, 10_000), (10_000, 10_000)])
def test_batches_have_whole_lists_and_every_row_once(rows, batch_size, shuffle_rows):
    _, listed = rows
    batches = list(listed.batches(batch_size, shuffle_rows, seed=0, epoch=0))
    assert len(batches) == listed.steps(batch_size)
    assert sorted(np.concatenate([batch["row"] for batch in batches])) == list(range(ROWS))
    owners = [set(batch[LISTS][batch[LISTS] > 0]) for batch in batches]
    assert len(set().union(*owners)) == sum(map(len, owners))
    assert max(len(batch["row"]) for batch in batches) <= batch_size + LONGEST
    assert min(len(batch["row"]) for batch in batches) > 0


def test_epochs_differ_and_are_repeated_from_any_batch(rows):
    _, listed = rows
    first, again, other = (
        [batch["row"].tolist() for batch in listed.batches(32, 150, seed=0, epoch=epoch)] for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != other
    rest = [batch["row"].tolist() for batch in listed.batches(32, 150, seed=0, epoch=0, skip=7)]
    assert rest == first[7:]


def test_lists_are_dealt_evenly():
    lists = lists_of(np.repeat(np.arange(1, 41), 5))
    batches = list(dealt(lists, 8, np.random.default_rng(0)))
    assert [len(batch) for batch in batches] == [25] * 8


def test_a_row_of_no_list_is_alone():
    assert [part.tolist() for part in lists_of(np.array([0, 7, 0, 7, 5]))] == [[0], [2], [4], [1, 3]]


def test_lists_longer_than_a_batch_are_refused(tmp_path):
    training, validation = written(tmp_path / "a", [1] * 12 + [0] * 50), written(tmp_path / "b", [3, 3, 4])
    regrouped(training, tmp_path / "listed")
    check_sizes(tmp_path / "listed", validation, "request", 12)
    with pytest.raises(
        DataError, match=r"11 is less than the 12 training rows of one list \(equal values of 'request'\)"
    ):
        check_sizes(tmp_path / "listed", validation, "request", 11)
    with pytest.raises(DataError, match="1 is less than the 12 training rows"):
        check_sizes(tmp_path / "listed", validation, "request", 1)
    longer = written(tmp_path / "c", [3] * 15)
    with pytest.raises(DataError, match="12 is less than the 15 validation rows"):
        check_sizes(tmp_path / "listed", longer, "request", 12)


def test_a_task_without_rows_of_a_list_that_differ_has_no_order(tmp_path):
    keys = np.array([0, 0, 5, 5, 5, 9])
    labels = np.array([[0, 1, 1], [1, 0, 1], [2, 1, 0], [2, 0, 1], [2, 1, 1], [0, 0, 0]], np.float32)
    writer, known = EncodedWriter(tmp_path), np.ones_like(labels)
    known[2, 2] = 0  # the only row of list 5 with another label
    for part in (slice(0, 3), slice(3, 6)):
        writer.write({LISTS: keys[part], "labels": labels[part], "known": known[part]})
    places = {"equal": 0, "differs": 1, "unknown": 2}
    assert without_order(writer.close(), places) == ["equal", "unknown"]
    weights = np.where(np.arange(6) == 3, 0.0, 1.0)[:, None] * known
    weighted = EncodedWriter(tmp_path)
    weighted.write({LISTS: keys, "labels": labels, "known": known, "weights": weights})
    assert without_order(weighted.close(), places) == ["equal", "differs", "unknown"]


def test_pieces_have_whole_lists():
    keys = np.random.default_rng(0).integers(0, 30, 300)
    pieces = list(pieces_of({LISTS: keys, "row": np.arange(300)}, rows=40))
    assert len(pieces) > 4
    assert sorted(np.concatenate([piece["row"] for piece in pieces])) == list(range(300))
    owners = [set(piece[LISTS]) for piece in pieces]
    assert sum(map(len, owners)) == 30
    assert [piece["row"].tolist() for piece in pieces_of({"row": np.arange(3)}, rows=1)] == [[0, 1, 2]]


def test_an_unfinished_folder_is_not_opened(tmp_path):
    regrouped(written(tmp_path / "plain", [1, 2]), tmp_path / "listed")
    (tmp_path / "listed" / "rows.json").unlink()
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "listed")
