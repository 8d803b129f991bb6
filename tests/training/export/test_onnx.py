"""Every architecture, interaction, funnel and pooling must survive the conversion to ONNX."""

import os

import numpy as np
import pytest
import tensorflow as tf
from tf2onnx.optimizer.einsum_optimizer import EinsumOptimizer

from ranker.artifact import difference
from ranker.encoding import Packed
from ranker.encoding.layout import LayoutBuilder, Periodic, Piecewise
from ranker.engines import ON_CPU, MergingOnnxRuntime, OnnxRuntime, OpenVino
from ranker.engines.onnx_stacking import stacked
from ranker.funnels import FUNNELS
from ranker.layers import GateOptions
from ranker.layers.interaction import INTERACTIONS
from ranker.layers.pooling import POOLINGS
from tests.ranker.models import SCHEMA, TRAINABLE, architecture, assemble, each, layout
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.onnx import CATCHES, to_onnx


def worst(tmp_path, name="shared_bottom", interaction="none", funnel="esmm", pooling="mean") -> float:
    tf.keras.utils.set_random_seed(1)
    places = layout(pooling)
    model = assemble(SCHEMA, places, lambda tasks: architecture(name, tasks), interaction, funnel=funnel, scale=1.0)
    return difference_of(tmp_path, model)


def difference_of(tmp_path, model) -> float:
    places = model.embedding.layout
    graph = to_onnx(model)
    rows = {node.name.partition("_")[0]: node.type.tensor_type.shape.dim[0].dim_param for node in graph.graph.input}
    assert rows == {"context": "contexts", "candidate": "candidates"}
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    score = onnx_scorer(tmp_path / "model.onnx")
    random = np.random.default_rng(0)
    differences = []
    for contexts in (1, 6):
        batch = {}
        for side, part in places.sides():
            rows = contexts if side == "context" else 6
            batch[f"{side}_ids"] = random.integers(0, 9, (rows, part.id_width)).astype(np.int32)
            batch[f"{side}_numbers"] = random.normal(size=(rows, part.number_width)).astype(np.float32)
        expected = model({key: tf.constant(array) for key, array in batch.items()}).numpy()
        differences.append(difference(score(batch), expected))
    return max(*differences, *differences_of_stacked(graph, tmp_path / "model.onnx"))


def differences_of_stacked(graph, path):
    """What the stacked graph and merged requests differ from the exported graph by."""
    assert len(stacked(graph).graph.node) < len(graph.graph.node)
    plain, merging = OnnxRuntime(path), MergingOnnxRuntime(path, ON_CPU)
    widths = {node.name: node.type.tensor_type.shape.dim[1].dim_value for node in graph.graph.input}
    random = np.random.default_rng(1)
    requests = []
    for candidates in (3, 17, 1):
        rows = {name: 1 if name.startswith("context") else candidates for name in Packed._fields}
        arrays = {
            name: random.integers(0, 9, (count, widths.get(name, 0))).astype(np.int32)
            if name.endswith("ids")
            else random.normal(size=(count, widths.get(name, 0))).astype(np.float32)
            for name, count in rows.items()
        }
        requests.append(Packed(**arrays))
    merged = merging.score_many(requests)
    for request, scores in zip(requests, merged, strict=True):
        expected = plain.score(request)
        yield difference(scores, expected)
        yield difference(merging.score(request), expected)


@pytest.mark.parametrize("name", TRAINABLE)
def test_architectures(tmp_path, name):
    assert worst(tmp_path, name) < 1e-5


@pytest.mark.parametrize(("interaction", "funnel", "pooling"), list(each(INTERACTIONS, FUNNELS, POOLINGS)))
def test_interactions_funnels_and_poolings(tmp_path, interaction, funnel, pooling):
    assert worst(tmp_path, interaction=interaction, funnel=funnel, pooling=pooling) < 1e-5


@pytest.mark.parametrize("kind", ["top_k", "dselect_k"])
def test_sparse_gates(tmp_path, kind):
    tf.keras.utils.set_random_seed(1)
    model = assemble(
        SCHEMA, layout(), lambda tasks: architecture("mmoe", tasks, gate=GateOptions(kind=kind)), scale=1.0
    )
    assert difference_of(tmp_path, model) < 1e-5


def test_embedded_numbers(tmp_path):
    """Piecewise linear and periodic numbers of both sides, with the same scores in every engine."""
    builder = LayoutBuilder()
    for side in ("context", "candidate"):
        builder.table(side, 9, 4)
        builder.ids(side, side, side)
        builder.numbers(side, f"{side}_bins", 2, Piecewise(3), flags=1)
        builder.numbers(side, f"{side}_waves", 2, Periodic(4, 0.5, 3))
        builder.numbers(side, f"{side}_number", 1)
    tf.keras.utils.set_random_seed(1)
    model = assemble(SCHEMA, builder.build(), lambda tasks: architecture("shared_bottom", tasks), scale=1.0)
    assert difference_of(tmp_path, model) < 1e-5
    random, path = np.random.default_rng(2), tmp_path / "model.onnx"
    ids = [random.integers(0, 9, (rows, 1)).astype(np.int32) for rows in (1, 17)]
    numbers = [random.normal(1, 2, (rows, 5)).astype(np.float32) for rows in (1, 17)]
    packed = Packed(ids[0], numbers[0], ids[1], numbers[1])
    expected = model({name: tf.constant(array) for name, array in packed._asdict().items()}).numpy()
    assert difference(OpenVino(path, ON_CPU, sizes=(20,)).score(packed), expected) < 1e-5


def test_an_optimiser_that_fails_is_left_out(tmp_path, monkeypatch):
    tried = []

    def fail(self, graph):
        tried.append(os.environ.get(CATCHES))
        raise ValueError("cannot be optimised")

    monkeypatch.setattr(EinsumOptimizer, "_optimize", fail)
    assert worst(tmp_path) < 1e-5
    assert tried[:2] == ["FALSE", None]
    assert CATCHES not in os.environ
