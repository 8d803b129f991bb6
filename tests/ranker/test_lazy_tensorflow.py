"""Classes written before TensorFlow is there are Keras's once they are made."""

import inspect
import subprocess
import sys

import pytest
import tensorflow as tf

from ranker.lazy_tensorflow import Layer, Module, as_graph, do_not_convert
from ranker.lazy_tensorflow import tf as lazy


class Doubled(Layer):
    def __init__(self, start: float = 2.0) -> None:
        super().__init__(name="doubled")
        self.factor = self.add_weight("factor", initializer=tf.keras.initializers.Constant(start))

    def call(self, x):
        return self.factor * x


class Tripled(Doubled):
    def __init__(self) -> None:
        super().__init__(start=3.0)


def test_importing_layers_and_methods_leaves_tensorflow_alone():
    code = (
        "import sys, ranker.architectures, ranker.layers, ranker.funnels, ranker.optimizers, ranker.weighting\n"
        "assert 'tensorflow' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_instance_is_a_keras_layer_of_the_same_name():
    layer = Doubled()
    assert isinstance(layer, Doubled)
    assert isinstance(layer, tf.keras.layers.Layer)
    assert type(layer).__name__ == "Doubled"
    assert type(layer).__module__ == __name__
    assert type(layer) is type(Doubled(5.0))
    assert [weight.name for weight in layer.trainable_weights] == ["doubled/factor:0"] or len(layer.weights) == 1
    assert layer(tf.constant(4.0)).numpy() == 8.0


def test_a_subclass_of_a_deferred_class_is_one_too():
    layer = Tripled()
    assert isinstance(layer, Doubled)
    assert tf.function(layer)(tf.constant(4.0)).numpy() == 12.0


def test_inside_of_a_module_layers_and_variables_are_tracked():
    class Pair(Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Doubled(), Tripled()
            self.own = tf.Variable(1.0)

    pair = Pair()
    assert isinstance(pair, tf.Module)
    assert len(pair.trainable_variables) == 3


def test_wrong_arguments_are_refused_by_the_class_itself():
    with pytest.raises(TypeError, match="unexpected keyword argument 'begin'"):
        Doubled(begin=1.0)


def test_names_are_those_of_tensorflow():
    assert lazy.Tensor is tf.Tensor
    with pytest.raises(AttributeError, match="no_such_name"):
        lazy.no_such_name  # noqa: B018


def test_a_function_that_is_not_converted_runs_as_python_in_a_graph():
    seen = []

    @do_not_convert
    def at_least(x: tf.Tensor, least: float) -> tf.Tensor:
        """The greater of the two."""
        seen.append(tf.executing_eagerly())
        try:
            if x > least:  # AutoGraph would make this a condition in the graph
                return x
        except tf.errors.OperatorNotAllowedInGraphError:
            return tf.maximum(x, least)
        return tf.constant(least)

    assert tf.function(at_least)(tf.constant(1.0), 2.0).numpy() == 2.0
    assert seen == [False]
    assert at_least.__doc__ == "The greater of the two."
    assert list(inspect.signature(at_least).parameters) == ["x", "least"]


def test_a_function_runs_as_a_graph_that_is_traced_once_for_each_shape_and_inside_of_another_as_it_is():
    calls = []

    @as_graph
    def power(x, exponent=2):
        """Doc."""
        calls.append(tf.executing_eagerly())
        return x**exponent

    assert [power(tf.constant(x)).numpy() for x in (2.0, 3.0)] == [4.0, 9.0]
    assert calls == [False]
    assert power(tf.constant(2.0), exponent=3).numpy() == 8.0
    assert tf.function(power)(tf.constant(5.0)).numpy() == 25.0
    assert calls == [False] * 3
    assert (power.__name__, power.__doc__) == ("power", "Doc.")
