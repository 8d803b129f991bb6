"""DCN-v2's cross network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.encoding.layout import Layout
from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.sides import Sides, join
from ranker.lazy_tensorflow import tf, tfrs


@INTERACTIONS.register("cross")
class CrossInteraction(Interaction):
    """``x_{l+1} = x_0 * (W x_l + b) + x_l`` over both sides, its output appended to the candidate.

    Wang et al., "DCN V2", WWW 2021. Every layer mixes context and candidate, so it runs once per candidate.
    """

    class Options(InteractionOptions):
        """Number of layers, and the rank of W (full by default)."""

        name: Literal["cross"] = "cross"
        layers: int = Field(2, ge=1, le=16, description="Cross layers in sequence.")
        rank: int | None = Field(None, ge=1, description="Rank of each layer's matrix; full by default.")

    options: Options

    def __init__(self, layout: Layout, options: Options | None = None) -> None:
        super().__init__(layout, options)
        self.crosses = [tfrs.layers.dcn.Cross(projection_dim=self.options.rank) for _ in range(self.options.layers)]

    def call(self, sides: Sides) -> Sides:
        """Append the last cross layer's output."""
        first = crossed = join(sides)
        for cross in self.crosses:
            crossed = cross(first, crossed)
        return Sides(sides.context, tf.concat([sides.candidate, crossed], axis=1))
