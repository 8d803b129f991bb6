import numpy as np
import tensorflow as tf

from ranker.outcomes import outcomes
from ranker.schema import Schema


def schema_of(**tasks):
    return Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})


def test_labels_of_classes_are_their_values_and_0_where_the_condition_fails():
    schema = schema_of(
        click={"kind": "binary"},
        way={"kind": "multiclass", "classes": 3, "positive": [0, 2]},
        end={"kind": "multiclass", "classes": 2, "values": [5, 7], "given": "click"},
    )
    labels = np.array([[1, 0, 0], [1, 1, 1], [0, 2, 0]], np.float32)
    expected = [[1, 1, 5], [1, 0, 7], [0, 1, 0]]
    np.testing.assert_array_equal(outcomes(schema, labels), expected)
    np.testing.assert_array_equal(outcomes(schema, tf.constant(labels)), expected)


def test_other_labels_are_themselves():
    labels = np.ones((2, 1))
    assert outcomes(schema_of(watch={"kind": "regression"}), labels) is labels
