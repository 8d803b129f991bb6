"""A dense layer over both sides that computes the context's part once per request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ranker.layers.precision import product
from ranker.layers.sides import Sides
from ranker.lazy_tensorflow import Layer, tf


class SplitDense(Layer):
    """``activation(context @ K_context + candidate @ K_candidate + bias)``, the sum by broadcasting.

    Equals a dense layer over the concatenated sides. Training passes sides [B, C] and [B, I]; serving passes [1, C] and
    [N, I], so the context is multiplied once. On a plain tensor [B, D] it is a plain dense layer.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        name: str | None = None,
        scale: float = 1.0,
    ) -> None:
        if units < 1:
            raise ValueError(f"units must be at least 1, got {units}")
        super().__init__(name=name)
        self.units = units
        self.activation = tf.keras.activations.get(activation)
        self.use_bias = use_bias
        self.scale = scale

    def build(self, shape: Any) -> None:
        """Create one kernel per side: slices of a Glorot-uniform kernel [C + I, units] times ``scale``."""
        widths = [int(side[-1]) for side in shape] if isinstance(shape, tuple | list) else [int(shape[-1])]
        limit = self.scale * (6.0 / (sum(widths) + self.units)) ** 0.5
        self.kernels = [
            self.add_weight(
                name=name, shape=(width, self.units), initializer=tf.keras.initializers.RandomUniform(-limit, limit)
            )
            for name, width in zip(_NAMES[len(widths)], widths, strict=True)
            if width
        ]
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros") if self.use_bias else None
        super().build(shape)

    def call(self, inputs: Sides | tf.Tensor) -> tf.Tensor:
        """Outputs [B, units]; a side without columns is ignored."""
        sides = [side for side in inputs if side.shape[-1]] if isinstance(inputs, tuple | list) else [inputs]
        products = [product(side, kernel) for side, kernel in zip(sides, self.kernels, strict=True)]
        if self.bias is not None:
            # Added to the context, so once per request; a plain sum, since TensorFlow 2.21's graph optimiser drops a
            # function in which bias_add, another sum and relu follow each other.
            products[0] = products[0] + self.bias
        total = products[0] if len(products) == 1 else products[0] + products[1]
        return self.activation(total)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        activation = tf.keras.activations.serialize(self.activation)
        return {
            "units": self.units,
            "activation": activation,
            "use_bias": self.use_bias,
            "name": self.name,
            "scale": self.scale,
        }


_NAMES = {1: ("kernel",), 2: ("kernel_context", "kernel_candidate")}


def together(layers: Sequence[SplitDense], inputs: Sides) -> list[tf.Tensor]:
    """Outputs of several linear layers on the same sides, with one product per side instead of one per layer.

    For layers of few units, such as gates, whose separate products would be bound by reading the inputs.
    """
    for layer in layers:
        if not layer.built:
            layer.build(tuple(side.shape for side in inputs))
    sides = [side for side in inputs if side.shape[-1]]
    kernels = [tf.concat(parts, axis=1) for parts in zip(*(layer.kernels for layer in layers), strict=True)]
    total = tf.matmul(sides[0], kernels[0]) + tf.concat([layer.bias for layer in layers], axis=0)
    for side, kernel in zip(sides[1:], kernels[1:], strict=True):
        total = total + tf.matmul(side, kernel)
    outputs: list[tf.Tensor] = tf.split(total, [layer.units for layer in layers], axis=1)
    return outputs
