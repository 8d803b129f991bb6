"""What every interaction, funnel and pooling promises of a whole model, in which there is one of each."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding.kinds.sequence import TARGET_ATTENTION, Sequence
from ranker.funnels import FUNNELS
from ranker.layers.interaction import INTERACTIONS
from ranker.layers.pooling import POOLINGS
from ranker.schema import Schema
from tests.ranker.models import SCHEMA, architecture, assemble, each, layout

PARTS = [
    dict(zip(("interaction", "funnel", "pooling"), names, strict=True))
    for names in each(INTERACTIONS, FUNNELS, POOLINGS)
]


def model_of(parts):
    chosen = dict(parts)
    places = layout(chosen.pop("pooling"))
    options = {"activation": "tanh", "towers": (3,)}
    return assemble(SCHEMA, places, lambda tasks: architecture("stem", tasks, **options), scale=0.5, **chosen)


@pytest.fixture(scope="module", params=PARTS, ids=lambda parts: "-".join(parts.values()))
def parts(request):
    return request.param


@pytest.fixture(scope="module")
def model(parts):
    """Built once for all tests, which change none of its weights."""
    return model_of(parts)


def batch_of(model, contexts, candidates=6):
    batch = {}
    for side, part in model.embedding.layout.sides():
        rows = contexts if side == "context" else candidates
        random = np.random.default_rng(1)
        batch[f"{side}_ids"] = tf.constant(random.integers(1, 9, (rows, part.id_width)), tf.int32)
        batch[f"{side}_numbers"] = tf.constant(random.normal(size=(rows, part.number_width)), tf.float32)
    return batch


def test_one_context_row_serves_all_candidates(model):
    split = batch_of(model, contexts=1)
    joined = {key: tf.repeat(x, 6, axis=0) if key.startswith("context") else x for key, x in split.items()}
    np.testing.assert_allclose(model(split), model(joined), rtol=1e-5, atol=1e-6)


def test_training_reaches_every_parameter(model):
    labels = tf.constant([[1.0, 1, 3], [1, 0, 2], [0, 0, 0], [1, 1, 9], [0, 0, 0], [1, 0, 1]])
    batch = {**batch_of(model, contexts=6), "labels": labels, "known": tf.ones([6, 3])}
    with tf.GradientTape() as tape:
        total = tf.add_n(model.compute_loss(batch, training=True))
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(total, model.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.name


def test_weights_can_be_saved_and_read(model, parts, tmp_path):
    batch = batch_of(model, contexts=1)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "weights"))
    tf.keras.utils.set_random_seed(5)
    other = model_of(parts)
    assert not np.allclose(model(batch), other(batch))
    tf.train.Checkpoint(model=other).read(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(model(batch), other(batch))


def test_the_schema_knows_every_pooling():
    allowed = Sequence.model_json_schema()["properties"]["pooling"]["enum"]
    assert set(allowed) == {*POOLINGS, "none"}
    assert set(TARGET_ATTENTION) < set(POOLINGS)


def test_target_attention_needs_a_candidate_feature():
    features = {
        "context": {
            "city": {"kind": "categorical"},
            "cities": {"kind": "sequence", "shares": "city", "pooling": "din"},
        },
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {"click": {"kind": "binary"}},
    }
    with pytest.raises(
        ValueError, match=r"context.cities.pooling: din attends from the candidate.*'city' is a context"
    ):
        Schema.model_validate(features)
