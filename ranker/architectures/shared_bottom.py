"""Shared bottom: one network for all tasks, one tower per task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Units
from ranker.architectures.parts import TowerHead
from ranker.layers import Expert, Sides
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("shared_bottom")
class SharedBottom(Architecture):
    """Every tower reads the same hidden layers. Caruana, "Multitask Learning", Machine Learning 1997."""

    class Options(ArchitectureOptions):
        """Units of the shared network."""

        name: Literal["shared_bottom"] = "shared_bottom"
        bottom: Units = Field((256, 128), min_length=1, description="Units of the shared layers.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Bottom(self.options)
        self.heads = [TowerHead(self.options, 0, name=f"head_{task}") for task in self.tasks]


class _Bottom(Layer):
    def __init__(self, options: SharedBottom.Options) -> None:
        super().__init__(name="trunk")
        self.bottom = Expert(options.bottom, options.activation, options.dropout, name="bottom")

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [self.bottom(sides, training=training)]
