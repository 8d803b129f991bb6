"""ESMM's body: shared embeddings and one network a task."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf
from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.layers import Sides, Tower


@ARCHITECTURES.register("esmm")
class ESMM(Architecture):
    """Entire-space model: independent networks over shared embeddings. Ma et al., SIGIR 2018.

    What makes it ESMM is the funnel: tasks that say ``given: click`` are trained over all impressions through
    pCTCVR = pCTR x pCVR (``ranker.funnel``). The same funnel works over every other architecture.
    """

    class Options(ArchitectureOptions):
        """Units of each task's network, its last layers included."""

        name: Literal["esmm"] = "esmm"
        towers: Units = Field((256, 128, 64), description="Units of each task's network.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = _Sides(name="trunk")
        self.heads = [_NetworkHead(self.options, name=f"head_{task}") for task in self.tasks]


class _Sides(tf.keras.layers.Layer):
    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        del training  # nothing here behaves differently
        return list(sides)


class _NetworkHead(Head):
    def __init__(self, options: ESMM.Options, name: str) -> None:
        super().__init__(name=name)
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        return self.tower(Sides(shared[0], shared[1]), training=training)
