import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import BoostedTrees
from ranker.encoding.layout import LayoutBuilder
from ranker.layers import Embedding
from ranker.schema import Schema


def layout(**standardised):
    builder = LayoutBuilder()
    builder.table("item", 9, 4)
    builder.ids("candidate", "item", "item")
    builder.numbers("context", "age", 2)
    builder.numbers("candidate", "length", 1)
    for task, (shift, scale) in standardised.items():
        builder.tree_score(task, shift, scale)
    return builder.build()


def logits(of, tasks, numbers):
    read = BoostedTrees.read(of)
    net = BoostedTrees.of_layout(tasks, BoostedTrees.Options(), of)
    (sides,) = Embedding(read)({"candidate_numbers": tf.constant(numbers, tf.float32)})
    return net(sides).numpy()


def test_a_logit_is_the_sum_of_the_trees_again():
    numbers = [[7.0, 0.5, -1.0], [7.0, 0.0, 2.0]]
    found = logits(layout(click=(-2.0, 0.5), watch=(100.0, 0.01)), ["watch", "click"], numbers)
    np.testing.assert_allclose(found, [[0.0, -1.0], [300.0, -2.0]], atol=1e-4)


def test_only_the_candidates_numbers_are_read():
    read = BoostedTrees.read(layout(click=(0.0, 1.0)))
    assert read.widths() == (0, 0, 0, 2)
    assert not Embedding(read).variables


def test_a_task_without_trees_is_refused():
    with pytest.raises(ValueError, match="needs trees of every task, but 'watch' has none"):
        BoostedTrees.of_layout(["click", "watch"], BoostedTrees.Options(), layout(click=(0.0, 1.0)))


def test_options_of_layers_are_refused():
    schema = Schema.model_validate(
        {"candidate": {"item": {"kind": "categorical"}}, "tasks": {"click": {"kind": "binary"}}}
    )
    BoostedTrees.Options().check(schema)
    with pytest.raises(ValueError, match="dropout: boosted_trees has no layers"):
        BoostedTrees.Options(dropout=0.1).check(schema)
