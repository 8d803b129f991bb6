"""Every architecture, interaction and funnel must survive the conversion to ONNX."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.artifact import difference
from ranker.encoding.layout import Layout, LayoutBuilder
from ranker.funnel import FUNNELS
from ranker.layers import Embedding
from ranker.layers.interaction import INTERACTIONS
from ranker.model import RankingModel
from ranker.schema import Schema
from ranker.weighting import Static
from tests.ranker.models import architecture
from training.onnx_graph import to_onnx
from training.session import onnx_scorer

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "click": {"kind": "binary"},
            "buy": {"kind": "binary", "given": "click"},
            "watch": {"kind": "regression", "transform": "log1p", "given": "click"},
        },
    }
)


def layout() -> Layout:
    builder = LayoutBuilder()
    for name, side in (("user", "context"), ("item", "candidate")):
        builder.table(name, 9, 4)
        builder.ids(side, name, name)
        builder.numbers(side, f"{name}_number", 2)
    builder.ids("context", "history", "item", length=3, pooling="mean")
    return builder.build()


def worst(tmp_path, name, interaction, funnel) -> float:
    tf.keras.utils.set_random_seed(1)
    places = layout()
    net = architecture(name, list(SCHEMA.tasks))
    model = RankingModel(SCHEMA, Embedding(places, scale=1.0), INTERACTIONS[interaction](places), net, Static(), funnel)
    (tmp_path / "model.onnx").write_bytes(to_onnx(model).SerializeToString())
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
    return max(differences)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_architectures(tmp_path, name):
    assert worst(tmp_path, name, "none", "esmm") < 1e-5


@pytest.mark.parametrize("interaction", [name for name in INTERACTIONS if name != "none"])
def test_interactions(tmp_path, interaction):
    assert worst(tmp_path, "shared_bottom", interaction, "esmm") < 1e-5


@pytest.mark.parametrize("funnel", list(FUNNELS))
def test_funnels(tmp_path, funnel):
    assert worst(tmp_path, "shared_bottom", "none", funnel) < 1e-5
