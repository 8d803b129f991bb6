"""Sluice networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, Self

from pydantic import Field, model_validator

from ranker import replicas
from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head
from ranker.architectures.cross_stitch import CrossStitchUnit
from ranker.layers import Dropout, Sides, SplitDense, Tower
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("sluice")
class Sluice(Architecture):
    """Learns what to share: subspaces of each layer (alpha) and layers of each task (beta). Ruder et al., AAAI 2019.

    Each task's layer is split into subspaces; after each layer every subspace becomes a learnt mix of all tasks'
    subspaces. A task's tower reads a learnt mix of the task's layers. A penalty keeps subspaces orthogonal.
    """

    class Options(ArchitectureOptions):
        """Sizes of the networks, and the weight of the penalty."""

        name: Literal["sluice"] = "sluice"
        layers: int = Field(2, ge=1, le=16, description="Layers of each task before its tower.")
        units: int = Field(128, ge=1, description="Units of every layer; mixing needs equal widths.")
        subspaces: int = Field(2, ge=1, le=16, description="Number of subspaces per layer.")
        own: float = Field(0.9, ge=0, le=1, description="Initial weight of a subspace's own output.")
        orthogonality: float = Field(
            1e-3, ge=0, description="Weight of the orthogonality penalty, sum ||K_g' K_h||^2 over subspaces."
        )

        @model_validator(mode="after")
        def _divisible(self) -> Self:
            if self.units % self.subspaces:
                raise ValueError(f"units must be a multiple of subspaces ({self.subspaces}), got {self.units}")
            return self

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Networks(self.options, self.tasks)
        self.heads = [_Head(self.options, i, len(self.tasks), name=f"head_{task}") for i, task in enumerate(self.tasks)]


class _Networks(Layer):
    """Map sides to [layer 1 of each task ..., layer 2 of each task ..., ...], each [B, units]."""

    def __init__(self, options: Sluice.Options, tasks: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.options, self.tasks = options, len(tasks)
        width, depth = options.units // options.subspaces, range(options.layers)
        self.stack = [
            [
                [SplitDense(width, options.activation, name=f"dense_{i}_{task}_{g}") for g in range(options.subspaces)]
                for task in tasks
            ]
            for i in depth
        ]
        self.stitches = [
            CrossStitchUnit(len(tasks) * options.subspaces, options.own, name=f"stitch_{i}") for i in depth
        ]
        self.dropouts = [Dropout(options.dropout, name=f"trunk_dropout_{i}") for i in depth]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        hidden: list[Sides | tf.Tensor] = [sides] * self.tasks
        outputs = []
        for layers, stitch, dropout in zip(self.stack, self.stitches, self.dropouts, strict=True):
            mixed = stitch([dense(x) for task, x in zip(layers, hidden, strict=True) for dense in task])
            groups = [mixed[i : i + self.options.subspaces] for i in range(0, len(mixed), self.options.subspaces)]
            hidden = [dropout(tf.concat(group, axis=1), training=training) for group in groups]
            outputs.extend(hidden)
        if training and self.options.orthogonality and self.options.subspaces > 1:
            self.add_loss(replicas.once(self.options.orthogonality * self.overlap()))
        return outputs

    def overlap(self) -> tf.Tensor:
        """``sum ||K_g' K_h||^2`` over pairs of subspaces g, h of each task's layer; 0 if orthogonal."""
        pairs = [pair for layer in self.stack for task in layer for pair in combinations(task, 2)]
        products = [
            tf.add_n([tf.matmul(a, b, transpose_a=True) for a, b in zip(g.kernels, h.kernels, strict=True)])
            for g, h in pairs
        ]
        return tf.add_n([tf.reduce_sum(product**2) for product in products])


class _Head(Head):
    """The learnt mix of one task's layers, and its tower."""

    def __init__(self, options: Sluice.Options, task: int, tasks: int, name: str) -> None:
        super().__init__(name=name)
        self.task, self.tasks = task, tasks
        self.beta = self.add_weight(
            name="beta", shape=(options.layers,), initializer=tf.constant_initializer(1.0 / options.layers)
        )
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        layers = shared[self.task :: self.tasks]
        return self.tower(tf.add_n([self.beta[i] * x for i, x in enumerate(layers)]), training=training)
