"""Cross-stitch networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Units
from ranker.architectures.parts import TowerHead
from ranker.layers import Dropout, Sides, SplitDense
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("cross_stitch")
class CrossStitch(Architecture):
    """One network per task; after each layer each network reads a learnt linear mix of all. Misra et al., CVPR 2016."""

    class Options(ArchitectureOptions):
        """Network units, and the initial weight of a network's own output."""

        name: Literal["cross_stitch"] = "cross_stitch"
        layers: Units = Field((256, 128), min_length=1, description="Units of each task's layers before its tower.")
        own: float = Field(
            0.9, ge=0, le=1, description="Initial weight of a network's own output; the others share the rest evenly."
        )

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Networks(self.options, self.tasks)
        self.heads = [TowerHead(self.options, i, name=f"head_{task}") for i, task in enumerate(self.tasks)]


class CrossStitchUnit(Layer):
    """``out_t = sum_s alpha[t, s] in_s`` over n tensors [B, H], with one learnt matrix alpha [n, n]."""

    def __init__(self, size: int, own: float, name: str) -> None:
        super().__init__(name=name)
        others = (1.0 - own) / max(size - 1, 1)
        initial = tf.constant_initializer(
            [[own if i == j and size > 1 else 1.0 if size == 1 else others for j in range(size)] for i in range(size)]
        )
        self.alpha = self.add_weight(name="alpha", shape=(size, size), initializer=initial)

    def call(self, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        """Map n tensors [B, H] to n tensors [B, H]."""
        stacked = tf.stack(inputs)
        mixed = tf.matmul(self.alpha, tf.reshape(stacked, [len(inputs), -1]))
        outputs: list[tf.Tensor] = tf.unstack(tf.reshape(mixed, tf.shape(stacked)), num=len(inputs))
        return [tf.ensure_shape(out, [None, x.shape[1]]) for out, x in zip(outputs, inputs, strict=True)]


class _Networks(Layer):
    """Map sides to the stitched last layer of each task's network."""

    def __init__(self, options: CrossStitch.Options, tasks: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.stack = [
            [SplitDense(units, options.activation, name=f"dense_{i}_{task}") for task in tasks]
            for i, units in enumerate(options.layers)
        ]
        depth = range(len(options.layers))
        self.stitches = [CrossStitchUnit(len(tasks), options.own, name=f"stitch_{i}") for i in depth]
        self.dropouts = [Dropout(options.dropout, name=f"trunk_dropout_{i}") for i in depth]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        hidden: list[Sides | tf.Tensor] = [sides] * len(self.stack[0])
        for layers, stitch, dropout in zip(self.stack, self.stitches, self.dropouts, strict=True):
            outputs = [dense(x) for dense, x in zip(layers, hidden, strict=True)]
            hidden = [dropout(x, training=training) for x in stitch(outputs)]
        return hidden
