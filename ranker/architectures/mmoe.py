"""Multi-gate mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture
from ranker.architectures.parts import ExpertOptions, GatedHead, make_experts, numbered, run
from ranker.layers import Sides
from ranker.lazy_tensorflow import Layer, tf


@ARCHITECTURES.register("mmoe")
class MMoE(Architecture):
    """All experts are shared; each task mixes them with its own gate. Ma et al., KDD 2018."""

    class Options(ExpertOptions):
        """Number of experts."""

        name: Literal["mmoe"] = "mmoe"
        experts: int = Field(4, ge=1, le=256, description="Number of experts.")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        names = numbered("shared", self.options.experts)
        self.trunk = _Experts(self.options, names)
        self.heads = [GatedHead(self.options, names, task) for task in self.tasks]


class _Experts(Layer):
    """Map sides to [context, candidate, expert 1, ..., expert K]; the sides are included since gates read them."""

    def __init__(self, options: MMoE.Options, names: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.experts = make_experts(options, names)

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [*sides, *run(self.experts, sides, training)]
