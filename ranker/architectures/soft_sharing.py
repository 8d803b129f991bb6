"""Soft parameter sharing: one network per task, tied by a regulariser."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from pydantic import Field

from ranker import replicas
from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Units
from ranker.architectures.parts import TowerHead
from ranker.layers import Dropout, Sides, SplitDense
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("soft_sharing")
class SoftSharing(Architecture):
    """One network per task, all of one shape; a penalty pulls their parameters together.

    - ``l2_distance``: squared distance between each pair of networks. Duong et al., ACL 2015.
    - ``mean_distance``: squared distance to the mean of all networks. Evgeniou & Pontil, KDD 2004.
    - ``low_rank``: each kernel is a shared kernel plus a low-rank product per task; the penalty is the squared norm of
      the factors. Shared plus low-rank parts follow Chen, Liu & Ye, "Learning incoherent sparse and low-rank patterns
      from multiple tasks", KDD 2010.
    """

    class Options(ArchitectureOptions):
        """Network units, and the regulariser."""

        name: Literal["soft_sharing"] = "soft_sharing"
        layers: Units = Field((256, 128), min_length=1, description="Units of each task's layers before its tower.")
        regulariser: Literal["l2_distance", "mean_distance", "low_rank"] = "l2_distance"
        strength: float = Field(1e-4, ge=0, description="Weight of the penalty.")
        rank: int = Field(8, ge=1, description="Rank of each task's part, for low_rank.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        kind = _LowRank if self.options.regulariser == "low_rank" else _Tied
        self.trunk = kind(self.options, self.tasks)
        self.heads = [TowerHead(self.options, i, name=f"head_{task}") for i, task in enumerate(self.tasks)]


def l2_distance(networks: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """``sum_{s < t} ||theta_s - theta_t||^2`` over T networks, each a list of parameters."""
    pairs = combinations(networks, 2)
    squares = [tf.reduce_sum((a - b) ** 2) for s, t in pairs for a, b in zip(s, t, strict=True)]
    return tf.add_n(squares) if squares else tf.constant(0.0)


def mean_distance(networks: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
    """``sum_t ||theta_t - mean theta||^2`` over T networks, each a list of parameters."""
    squares = []
    for parameters in zip(*networks, strict=True):
        mean = tf.add_n(list(parameters)) / len(parameters)
        squares += [tf.reduce_sum((p - mean) ** 2) for p in parameters]
    return tf.add_n(squares)


REGULARISERS = {"l2_distance": l2_distance, "mean_distance": mean_distance}


class _Trunk(Layer):
    """Map sides to the last layer of each task's network; ``layer(i, t, x)`` is layer i of task t."""

    def __init__(self, options: SoftSharing.Options, tasks: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.options, self.tasks = options, len(tasks)
        self.dropouts = [
            [Dropout(options.dropout, name=f"trunk_dropout_{i}_{task}") for task in tasks]
            for i in range(len(options.layers))
        ]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        hidden: list[Sides | tf.Tensor] = [sides] * self.tasks
        for i, dropouts in enumerate(self.dropouts):
            hidden = [drop(self.layer(i, t, hidden[t]), training=training) for t, drop in enumerate(dropouts)]
        if training and self.options.strength:
            self.add_loss(replicas.once(self.options.strength * self.penalty()))
        return hidden

    def layer(self, i: int, task: int, inputs: Sides | tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def penalty(self) -> tf.Tensor:
        raise NotImplementedError


class _Tied(_Trunk):
    def __init__(self, options: SoftSharing.Options, tasks: Sequence[str]) -> None:
        super().__init__(options, tasks)
        self.stack = [
            [SplitDense(units, options.activation, name=f"dense_{i}_{task}") for task in tasks]
            for i, units in enumerate(options.layers)
        ]

    def layer(self, i: int, task: int, inputs: Sides | tf.Tensor) -> tf.Tensor:
        return self.stack[i][task](inputs)

    def penalty(self) -> tf.Tensor:
        networks = [[w for layer in self.stack for w in layer[t].trainable_variables] for t in range(self.tasks)]
        return REGULARISERS[self.options.regulariser](networks)


class _LowRank(_Trunk):
    def __init__(self, options: SoftSharing.Options, tasks: Sequence[str]) -> None:
        super().__init__(options, tasks)
        self.activation = tf.keras.activations.get(options.activation)
        self.shared = [SplitDense(units, name=f"dense_{i}_shared") for i, units in enumerate(options.layers)]
        self.down = [
            [SplitDense(options.rank, use_bias=False, name=f"down_{i}_{task}") for task in tasks]
            for i in range(len(options.layers))
        ]
        self.up = [
            [SplitDense(units, use_bias=False, name=f"up_{i}_{task}") for task in tasks]
            for i, units in enumerate(options.layers)
        ]

    def layer(self, i: int, task: int, inputs: Sides | tf.Tensor) -> tf.Tensor:
        return self.activation(self.shared[i](inputs) + self.up[i][task](self.down[i][task](inputs)))

    def penalty(self) -> tf.Tensor:
        parts = [part for parts in (self.down, self.up) for layer in parts for part in layer]
        return tf.add_n([tf.reduce_sum(w**2) for part in parts for w in part.trainable_variables])
