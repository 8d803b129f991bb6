"""Customised sharing: private bottoms and a shared bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.layers import Expert, Sides, Tower
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("customized")
class Customized(Architecture):
    """Each tower reads a private bottom and the shared bottom.

    "Customized sharing" in Tang et al., "Progressive Layered Extraction", RecSys 2020, figure 1.
    """

    class Options(ArchitectureOptions):
        """Units of the shared and the private bottoms."""

        name: Literal["customized"] = "customized"
        bottom: Units = Field((256, 128), min_length=1, description="Units of the shared layers.")
        own_bottom: Units = Field((128, 64), min_length=1, description="Units of each task's private layers.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Trunk(self.options)
        self.heads = [_Head(self.options, name=f"head_{task}") for task in self.tasks]


class _Trunk(Layer):
    """Map sides to [context, candidate, shared bottom]."""

    def __init__(self, options: Customized.Options) -> None:
        super().__init__(name="trunk")
        self.bottom = Expert(options.bottom, options.activation, options.dropout, name="bottom")

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [*sides, self.bottom(sides, training=training)]


class _Head(Head):
    def __init__(self, options: Customized.Options, name: str) -> None:
        super().__init__(name=name)
        self.own = Expert(options.own_bottom, options.activation, options.dropout, name=f"{name}_bottom")
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        own = self.own(Sides(shared[0], shared[1]), training=training)
        return self.tower(tf.concat([own, shared[2]], axis=1), training=training)
