"""What every engine promises, over the registry."""

import gc
import shutil
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import numpy_helper

from ranker.artifact import SAVED_MODEL, difference
from ranker.engines import DEFAULTS, ENGINES, PRECISIONS, EngineError, EngineOptions, engine_of


def saved_model(graph, folder) -> None:
    """The test's graph as a SavedModel: the same sums of the same weights."""
    weights = {w.name: numpy_helper.to_array(w) for w in onnx.load(graph).graph.initializer}
    widths = {name.removesuffix("_kernel"): w.shape[0] for name, w in weights.items() if name.endswith("_kernel")}
    signature = {
        name: tf.TensorSpec([None, width], tf.int32 if name.endswith("ids") else tf.float32, name=name)
        for name, width in widths.items()
    }

    @tf.function(input_signature=[signature], autograph=False)
    def score(inputs):
        context, candidate = (
            tf.add_n([tf.cast(inputs[n], tf.float32) @ weights[f"{n}_kernel"] for n in widths if n.startswith(side)])
            for side in ("context", "candidate")
        )
        return {"scores": tf.sigmoid(context + candidate)}

    module = tf.Module()
    module.score = score
    tf.saved_model.save(module, str(folder), signatures=score)


@pytest.fixture(scope="module")
def model(artifact, tmp_path_factory):
    """The artifact's graph with a SavedModel beside it."""
    folder = tmp_path_factory.mktemp("engines")
    shutil.copy(artifact.model_path, folder / "model.onnx")
    saved_model(folder / "model.onnx", folder / SAVED_MODEL)
    return folder / "model.onnx"


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request, model):
    return engine_of(request.param, model, EngineOptions(threads=1))


def packed_of(artifact, rows, first=0):
    """The golden candidates over and over, beginning with another one where ``first`` says so."""
    golden = artifact.golden[0]
    many = {name: [v[(first + i) % len(v)] for i in range(rows)] for name, v in golden.candidates.items()}
    return artifact.encoder.encode({name: [value] for name, value in golden.context.items()}, many)


def expected(artifact, rows, first=0):
    scores = np.array([artifact.golden[0].scores[task] for task in artifact.manifest.tasks]).T
    return scores[(first + np.arange(rows)) % len(scores)]


@pytest.mark.parametrize("rows", [1, 7, 20, 95, 100, 101, 2100])
def test_scores_are_the_golden_ones(engine, artifact, rows):
    scores = engine.score(packed_of(artifact, rows))
    assert scores.shape == (rows, len(artifact.manifest.tasks))
    assert difference(scores, expected(artifact, rows)) < 1e-5


def test_float32_is_the_first_precision_and_the_default(engine):
    assert engine.precision == "float32"
    precisions = ENGINES[engine.name].precisions("cpu")
    assert precisions[0] == "float32"
    assert set(precisions) <= set(PRECISIONS)


def test_concurrent_requests_get_their_own_scores(engine, artifact):
    asked = [(rows, first) for first, rows in enumerate([1, 7, 20, 100, 100, 7, 128, 2] * 6)]
    packed = [packed_of(artifact, *each) for each in asked]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine.score, packed))
    assert max(difference(s, expected(artifact, *each)) for s, each in zip(found, asked, strict=True)) < 1e-5


def test_a_released_engine_is_freed_at_once(model, engine):
    """With its weights: a service that changes versions must not wait for the garbage collector."""
    gc.disable()
    try:
        other = engine_of(engine.name, model, EngineOptions(threads=1))
        kept = weakref.ref(other)
        del other
        assert kept() is None
    finally:
        gc.enable()


def test_scores_are_not_overwritten_by_another_request(engine, artifact):
    first = engine.score(packed_of(artifact, 7))
    kept = first.copy()
    engine.score(packed_of(artifact, 20))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_a_missing_package_is_reported_with_what_to_install(name, model, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)  # an import of it fails then
    with pytest.raises(EngineError, match=rf"engine '{name}' needs the package {name}.*install ranker\[serve"):
        engine_of(name, model)


@pytest.mark.parametrize("name", ENGINES)
def test_an_unsupported_device_is_rejected(name, model):
    with pytest.raises(EngineError, match="cuda"):
        engine_of(name, model, EngineOptions("cuda"))


@pytest.mark.parametrize("name", ENGINES)
def test_an_unreadable_graph_is_an_engine_error(name, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(EngineError, match="cannot load it"):
        engine_of(name, tmp_path / "model.onnx")


def test_auto_selects_the_best_installed_engine(model, monkeypatch):
    assert engine_of("auto", model).name == "openvino"
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert engine_of("auto", model).name == "onnxruntime"


def test_auto_falls_back_if_the_best_engine_cannot_load(model, monkeypatch):
    def fails(*_):
        raise EngineError("no such operation")

    monkeypatch.setitem(ENGINES._entries, "openvino", fails)
    skipped = []
    assert engine_of("auto", model, skipped=lambda *what: skipped.append(what)).name == "onnxruntime"
    assert skipped == [("openvino", "no such operation")]


def test_defaults_are_registered_and_an_unknown_engine_lists_all(model):
    assert all(name in ENGINES for names in DEFAULTS.values() for name in names)
    with pytest.raises(EngineError, match=r"unknown engine 'openvin'; did you mean 'openvino'\?.*tensorflow.*auto"):
        engine_of("openvin", model)


def test_an_unknown_device_is_named_with_the_known_ones(model):
    with pytest.raises(EngineError, match=r"device 'gpu' is unknown.*cpu, cuda"):
        engine_of("auto", model, EngineOptions("gpu"))


@pytest.mark.parametrize("name", list(ENGINES))
def test_rows_may_have_a_context_each(name, model, artifact):
    """As in a log; with several streams, as many calls run at once, and each row has the scores that it has alone."""
    by_row = engine_of(name, model, EngineOptions(threads=2, streams=2, context_rows=True, sizes=(7,)))
    alone = engine_of("onnxruntime", model, EngineOptions(threads=1))
    packed = packed_of(artifact, 20).taken(np.zeros(20, dtype=np.intp), slice(None))
    packed = packed._replace(context_numbers=packed.context_numbers * np.linspace(-2, 2, 20, dtype=np.float32)[:, None])
    each = [slice(row, row + 1) for row in range(20)]
    scores = np.concatenate([alone.score(packed.taken(row, row)) for row in each])
    assert len(np.unique(scores[:, 0])) > 10
    parts = [slice(0, 20), slice(3, 10), slice(13, 20), slice(0, 6)] * 10
    with ThreadPoolExecutor(2) as pool:
        for rows, found in zip(
            parts, pool.map(lambda rows: by_row.score(packed.taken(rows, rows)), parts), strict=True
        ):
            assert difference(found, scores[rows]) <= 1e-6
