"""A graph with tables beside it scores as the graph that holds them, whichever features and poolings read them."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding import Packed
from ranker.encoding.layout import LayoutBuilder
from ranker.engines import EngineError, EngineOptions, OnnxRuntime, OpenVino
from ranker.engines.row_tables import RowTables, facts_of, folder_of
from tests.ranker.models import SCHEMA, architecture, assemble
from training.export.onnx import to_onnx
from training.export.tables import LARGE, LARGEST, TableOptions, beside, rounded, table_options, write_tables

ROWS = {"user": 9, "city": 5, "item": 30, "shop": 7, "tags": 6, "brand": 8}


def layout():
    builder = LayoutBuilder()
    for name, rows in ROWS.items():
        builder.table(name, rows, 2 if name in ("tags", "brand") else 4)
    builder.ids("context", "user", "user")
    builder.ids("context", "city", "city")
    builder.ids("context", "history", "item", length=3, pooling="din", attends=True)
    builder.ids("context", "bought", "item", length=2, pooling="mean")
    builder.ids("candidate", "shop", "shop")
    builder.ids("candidate", "item", "item")
    builder.ids("candidate", "similar", "item", length=3, pooling="multi_head", attends=True, heads=2)
    builder.ids("candidate", "tags", "tags", length=2, pooling="sum")
    builder.ids("candidate", "brand", "brand")
    builder.numbers("candidate", "price", 2)
    return builder.build()


def packed_of(places, rows, contexts=1):
    random = np.random.default_rng(rows)

    def ids(side, count):
        each = [random.integers(0, 5, (count, field.length)) for field in side.ids]
        return np.concatenate(each, axis=1).astype(np.int32)

    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    empty = np.zeros((contexts, 0), np.float32)
    return Packed(ids(places.context, contexts), empty, ids(places.candidate, rows), numbers)


def written(path, model, features):
    path.parent.mkdir()
    path.write_bytes(to_onnx(model, features).SerializeToString())
    write_tables(model, [r for r in beside(model, TableOptions("beside")) if r.feature in features], "float32", path)
    return path


def model_of(name):
    tf.keras.utils.set_random_seed(1)
    return assemble(SCHEMA, layout(), lambda tasks: architecture(name, tasks), scale=1.0)


def same_scores(model, some, whole, make):
    beside_it, inside = make(some, EngineOptions(threads=1)), make(whole, EngineOptions(threads=1))
    for rows in (9, 10, 3, 30):  # padded, fitting and of any size; a buffer is used again
        packed = packed_of(model.embedding.layout, rows)
        np.testing.assert_array_equal(beside_it.score(packed), inside.score(packed))


@pytest.fixture(scope="module")
def shared_bottom(tmp_path_factory):
    model, root = model_of("shared_bottom"), tmp_path_factory.mktemp("tables")
    sets = {"whole": [], "some": ["item", "user"], "all": list(ROWS)}
    return model, {name: written(root / name / "model.onnx", model, features) for name, features in sets.items()}


def test_scores_are_those_of_the_graph_with_its_tables(shared_bottom):
    model, paths = shared_bottom
    assert not folder_of(paths["whole"]).exists()
    assert {name: (t.rows, t.width) for name, t in facts_of(paths["all"]).items()} == {
        name: (rows, 2 if name in ("tags", "brand") else 4) for name, rows in ROWS.items()
    }
    same_scores(model, paths["all"], paths["whole"], OnnxRuntime)
    for make in (OnnxRuntime, lambda *given: OpenVino(*given, sizes=(10,))):
        same_scores(model, paths["some"], paths["whole"], make)
    batch = packed_of(model.embedding.layout, 6, contexts=6)._asdict()  # rows of a log
    both = [OnnxRuntime(paths[n], EngineOptions(), one_context=False).score_arrays(batch) for n in ("some", "whole")]
    np.testing.assert_array_equal(*both)
    inputs = {name: tf.constant(array) for name, array in batch.items() if array.shape[1]}
    np.testing.assert_allclose(both[0], model(inputs).numpy(), atol=1e-5)


def test_rows_of_several_embedding_sets_are_gathered_at_once(tmp_path):
    model = model_of("stem")
    some, whole = (
        written(tmp_path / name / "model.onnx", model, features)
        for name, features in {"some": ["item", "user"], "whole": []}.items()
    )
    assert facts_of(some)["item"].width == 4 * model.embedding.sets > 4
    same_scores(model, some, whole, OnnxRuntime)


def test_tables_that_do_not_fit_the_graph_are_refused(shared_bottom, tmp_path):
    model, paths = shared_bottom
    shutil.copytree(paths["some"].parent, tmp_path / "copy")
    path = tmp_path / "copy" / "model.onnx"
    file = folder_of(path) / "item.npy"
    rows = np.load(file)
    np.testing.assert_array_equal(rows, model.embedding.tables["4"].numpy()[14:44])
    np.save(file, rows[1:])
    for engine in (OnnxRuntime, OpenVino):
        with pytest.raises(EngineError, match=r"item\.npy: must hold <f4 of shape \(30, "):
            engine(path)
    (folder_of(path) / "tables.json").unlink()
    for engine in (OnnxRuntime, OpenVino):
        with pytest.raises(EngineError, match=r"candidate_rows_item, .* which are not there"):
            engine(path)
    assert not RowTables.beside(path).inputs


class Sized:
    """What the choice of tables reads of a model."""

    def __init__(self, **rows):
        builder = LayoutBuilder()
        for name, count in rows.items():
            builder.table(name, count, 16)
            builder.ids("candidate", name, name)
        self.layout, self.sets, self.embedding = builder.build(), 1, self


def test_large_tables_are_kept_beside_the_graph():
    few, many = LARGE // 64 - 1, LARGE // 64
    chosen = beside(Sized(a=few, b=many, c=5), TableOptions("auto"))
    assert [region.feature for region in chosen] == ["b"]
    assert len(beside(Sized(a=few, b=many), TableOptions("beside"))) == 2
    assert beside(Sized(a=few, b=many), TableOptions("inside")) == []
    with pytest.raises(ValueError, match=r"tables: inside would put 2,147,484,160 bytes .* of b, has 2,147,483,648"):
        beside(Sized(a=8, b=2**25), TableOptions("inside"))
    smaller = {f"f{i}": few for i in range(130)}
    left = [few * 64] * (130 - len(beside(Sized(**smaller), TableOptions("auto"))))
    assert LARGEST - LARGE < sum(left) <= LARGEST


def test_rows_are_rounded_for_everything_that_is_exported(shared_bottom, tmp_path):
    model, _ = shared_bottom
    trained = {width: table.numpy() for width, table in model.embedding.tables.items()}
    regions = beside(model, TableOptions("beside", "int8"))
    for precision, most in (("float16", 2**-11), ("int8", 0.5 / 127)):
        path = tmp_path / precision / "model.onnx"
        (tmp_path / precision / "exact").mkdir(parents=True)
        with rounded(model, regions, precision, tmp_path / precision / "exact"):
            path.write_bytes(to_onnx(model, list(ROWS)).SerializeToString())
            write_tables(model, regions, precision, path)
            for width, table in model.embedding.tables.items():
                error = np.abs(table.numpy() - trained[width]) / np.abs(trained[width]).max(axis=1, keepdims=True)
                assert 0 < error.max() <= most * 1.001
            batch = packed_of(model.embedding.layout, 6, contexts=6)._asdict()
            inputs = {name: tf.constant(array) for name, array in batch.items() if array.shape[1]}
            expected = model(inputs).numpy()
        score = OnnxRuntime(path, EngineOptions(threads=1), one_context=False).score_arrays
        np.testing.assert_allclose(score(batch), expected, atol=1e-5)
        size = np.dtype(np.float16).itemsize * 4 if precision == "float16" else 4 + 4
        assert facts_of(path)["item"] == (30, 4, precision, 30 * size)
    for width, table in model.embedding.tables.items():
        np.testing.assert_array_equal(table.numpy(), trained[width])
    with pytest.raises(ValueError, match="table_precision: int8 is for tables beside the graph"):
        beside(model, TableOptions("auto", "int8"))
    with pytest.raises(ValueError, match="table_precision: 'int4' is not a precision of tables"):
        table_options("auto", "int4", 0.9)
