"""Tables that start from vectors by id."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.config.file import ConfigError
from ranker.log_files.log_reader import DataError
from tests.training.days import CONFIG, rows
from tests.training.stored import file_of
from training.config.experiment import checked
from training.data.encode import prepare
from training.data.experiment_log import open_log
from training.trainer.build_model import build_model
from training.trainer.run_folder import key_of
from training.trainer.warm_tables import fitted, warm_tables

SIZE = 0.05 / np.sqrt(3)


@pytest.fixture
def vectors(tmp_path):
    """Write a file of vectors by item."""

    def write(items, lists, column="item"):
        pq.write_table(pa.table({column: items, "vector": lists}), tmp_path / "vectors.parquet")
        return tmp_path / "vectors.parquet"

    return write


class Start:
    """A model before its first step, and its tables before they were warmed."""

    def __init__(self, path, folder, feature="item"):
        experiment = checked({**CONFIG, "embedding": {"from": {feature: str(path)}}})
        log = open_log(experiment, [file_of(rows(1, "aabcd", 0))])
        self.encoder, self.notes = prepare(experiment, log, folder).encoder, []
        embedding = build_model(experiment, self.encoder.layout, steps_per_epoch=3).embedding
        self.before = embedding.tables["4"].numpy()
        warm_tables(embedding, experiment, self.encoder, self.notes.append)
        self.after = embedding.tables["4"].numpy()

    def place(self, item):
        encoding = self.encoder.encodings["item"]
        offset = next(f.offset for f in self.encoder.layout.candidate.ids if f.feature == "item")
        return offset + int(encoding.table[encoding.coder.codes([item], "")[0]])


def test_rows_of_ids_with_a_vector_start_from_it_and_others_stay(vectors, tmp_path):
    path = vectors(["b", "z", "a", "b"], [[9.0] * 4, [5.0] * 4, [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 2.0]])
    start = Start(path, tmp_path / "rows")
    a, b = start.place("a"), start.place("b")
    given = np.array([[1, 2, 3, 4], [0, 0, 0, 2.0]])
    np.testing.assert_allclose(start.after[[a, b]], given * SIZE / np.sqrt(np.mean(given**2)), rtol=1e-5)
    others = np.setdiff1d(np.arange(len(start.after)), [a, b])
    np.testing.assert_array_equal(start.after[others], start.before[others])
    assert start.notes == ["embedding rows of item: 2 of 4 start from vectors"]


def test_wider_vectors_keep_their_distances_on_the_main_axes():
    random = np.random.default_rng(0)
    plane = random.normal(size=(50, 2)) @ random.normal(size=(2, 7)) + 3  # of two dimensions, in seven
    found = fitted(plane, 2, 0.1)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.1)
    distances = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (plane, found)]
    ratio = distances[1][0, 1] / distances[0][0, 1]
    np.testing.assert_allclose(distances[1], distances[0] * ratio, atol=1e-9)


@pytest.mark.parametrize(
    ("items", "lists", "told"),
    [
        (["a"], [[1.0, 2.0]], "has vectors of 2 numbers, and the table is 4 wide; set the feature's dimension"),
        (["a", "b"], [[1.0] * 4, [1.0] * 3], "row 1: its vector has 3 numbers, and the first one 4"),
        (["a", "b"], [[1.0] * 4, [1.0, 2.0, float("nan"), 3.0]], "row 1: its vector has a number that is not finite"),
        (["a", "b"], [[1.0] * 4, None], "row 1: its vector has 0 numbers"),
        (["a"], ["text"], "column 'vector' must hold lists of numbers"),
        (["y", "z"], [[1.0] * 4] * 2, "has no vector of an id in the log"),
        (["a"], [[0.0] * 4], "has only zeros"),
        ([1, 2], [[1.0] * 4] * 2, "row 0, column 'item': 1 is not"),
    ],
)
def test_vectors_that_cannot_be_used_are_named(vectors, tmp_path, items, lists, told):
    with pytest.raises(DataError, match=told):
        Start(vectors(items, lists), tmp_path / "rows")


def test_a_missing_file_and_a_missing_column_are_named(vectors, tmp_path):
    with pytest.raises(DataError, match=r"none.parquet: no such file"):
        Start(tmp_path / "none.parquet", tmp_path / "rows")
    with pytest.raises(DataError, match="has no column 'item'"):
        Start(vectors(["a"], [[1.0] * 4], column="id"), tmp_path / "rows")


@pytest.mark.parametrize(
    ("embedding", "told"),
    [
        ({"from": {"itme": "x"}}, "embedding.from.itme: is not a feature with a vocabulary of its own.*item"),
        ({"from": {"price": "x"}}, "embedding.from.price: is not a feature with a vocabulary"),
        ({"from": {"item": "x"}, "reinitialise_each_epoch": True}, "reinitialise_each_epoch would replace the vectors"),
    ],
)
def test_a_wrong_config_is_named(embedding, told):
    with pytest.raises(ConfigError, match=told):
        checked({**CONFIG, "embedding": embedding})


def test_other_vectors_make_another_run(vectors):
    path, log = vectors(["a"], [[1.0] * 4]), file_of(rows(1, "aabcd", 0))
    experiment = checked({**CONFIG, "embedding": {"from": {"item": str(path)}}})
    first = key_of(experiment, open_log(experiment, [log]))
    vectors(["a"], [[1.0] * 5])
    assert key_of(experiment, open_log(experiment, [log])) != first
