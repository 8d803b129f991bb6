import numpy as np
import orjson
import pytest
import tensorflow as tf

from ranker.log_files.log_reader import DataError
from ranker.rank_losses import LISTS
from training.config.training import Training
from training.data.batches import EncodedWriter
from training.data.listed_rows import ListedRows
from training.distribution.parameter_server import ParameterServers
from training.distribution.worker_rows import OWN, Source, WorkerRows, offer, own_number, read_batch

SETTINGS = Training(batch_size=8, shuffle_rows=20, seed=3)


@pytest.fixture
def rows(tmp_path):
    writer = EncodedWriter(tmp_path / "rows")
    for start, size in ((0, 20), (20, 5), (25, 17), (42, 12)):
        writer.write({"x": np.arange(start, start + size), "labels": np.ones((size, 2), np.float32)})
    return writer.close()


def test_readers_read_every_row_once_in_batches_of_their_own_row_groups(rows):
    source = Source.of(rows, SETTINGS, 2)
    assert source.sizes() == [5, 3]  # row groups of 20 and 17 rows, and of 5 and 12
    read = [[batch["x"] for batch in source.batches(0, reader, 0)] for reader in range(2)]
    assert [len(batches) for batches in read] == source.sizes()
    assert sorted(np.concatenate(read[0]).tolist()) == [*range(20), *range(25, 42)]
    assert sorted(np.concatenate(read[1]).tolist()) == [*range(20, 25), *range(42, 54)]


def test_one_reader_reads_what_one_process_does(rows):
    own = Source.of(rows, SETTINGS, 1).batches(2, 0, 3)
    for batch, other in zip(own, rows.batches(8, 20, 3, 2, skip=3), strict=True):
        np.testing.assert_array_equal(batch["x"], other["x"])


def test_more_readers_than_row_groups_leave_some_without_batches(rows):
    assert Source.of(rows, SETTINGS, 6).sizes() == [3, 1, 3, 2, 0, 0]


def test_lists_stay_whole(tmp_path):
    writer = EncodedWriter(tmp_path / "rows")
    keys = np.repeat(np.arange(1, 13), 3)  # 12 lists of 3 rows
    for part in (keys[:9], keys[9:21], keys[21:]):
        writer.write({LISTS: part, "labels": np.ones((len(part), 1), np.float32)})
    plain = writer.close()
    source = Source.of(ListedRows(plain.folder, plain.rows), SETTINGS, 2)
    worker = WorkerRows()
    names = sorted([LISTS, "labels"])
    found = [
        worker.batch(source.text(), 0, reader, number)[names.index(LISTS)]
        for reader, size in enumerate(source.sizes())
        for number in range(size)
    ]
    assert source.sizes() == [4, 2]  # of 9 and 15 rows, and of 12
    assert sorted(np.concatenate(found).tolist()) == keys.tolist()
    assert all((np.unique(batch, return_counts=True)[1] == 3).all() for batch in found)


def test_a_worker_finds_any_batch_of_any_reader(rows):
    source, worker = Source.of(rows, SETTINGS, 2), WorkerRows()
    expected = {
        (epoch, reader): [batch["x"] for batch in source.batches(epoch, reader, 0)]
        for epoch in range(2)
        for reader in range(2)
    }
    for epoch, reader, number in ((0, 0, 1), (0, 0, 4), (0, 1, 0), (1, 1, 2), (0, 0, 0), (0, 0, 1)):
        labels, x = worker.batch(source.text(), epoch, reader, number)
        np.testing.assert_array_equal(x, expected[epoch, reader][number])
        assert labels.shape == (len(x), 2)


def test_a_graph_reads_batches_in_the_process_that_runs_it(rows, monkeypatch):
    source = Source.of(rows, SETTINGS, 1)
    kept = offer(WorkerRows(), 7)
    signature = {"x": tf.TensorSpec([None], tf.int64), "labels": tf.TensorSpec([None, 2], tf.float32)}

    @tf.function
    def read(number):
        return own_number(), read_batch(source, signature, tf.constant(0, tf.int64), tf.constant(0), number)

    number, batch = read(tf.constant(2, tf.int64))
    assert int(number) == 7
    np.testing.assert_array_equal(batch["x"], next(source.batches(0, 0, 2))["x"])
    away = Source(str(rows.folder / "away"), None, False, 1, 8, 20, 3)
    with pytest.raises(tf.errors.OpError) as unread:
        read_batch(away, signature, tf.constant(0, tf.int64), tf.constant(0), tf.constant(0, tf.int64))
    jobs = {"chief": ["a:1"], "ps": ["b:1"], "worker": ["c:1"]}
    monkeypatch.setenv("TF_CONFIG", orjson.dumps({"cluster": jobs, "task": {"type": "chief", "index": 0}}).decode())
    told = ParameterServers(Training(distribute="parameter_server")).lost(unread.value)
    assert isinstance(told, DataError)
    assert "a worker cannot read the encoded rows that the chief has written (FileNotFoundError: " in str(told)
    assert "away/rows.json'): --output must be on storage that all processes share" in str(told)
    assert kept
    del kept
    with pytest.raises(tf.errors.OpError, match=OWN):
        read(tf.constant(3, tf.int64))
