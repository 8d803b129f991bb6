"""Pairwise dot products of feature embeddings."""

from __future__ import annotations

from typing import Literal

from ranker.encoding.layout import Layout
from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.sides import Sides, join
from ranker.lazy_tensorflow import tf, tfrs
from ranker.schema import Schema


@INTERACTIONS.register("dots")
class DotsInteraction(Interaction):
    """Dot products of all pairs of embedded features, appended to the candidate's inputs.

    Naumov et al., "Deep Learning Recommendation Model", 2019. All embedded features must have the same width.
    """

    class Options(InteractionOptions):
        """No options."""

        name: Literal["dots"] = "dots"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if embeddings differ in width."""
            _one_width(schema.embedding_widths())

    def __init__(self, layout: Layout, options: Options | None = None) -> None:
        _one_width(set(layout.tables))
        super().__init__(layout, options)
        # Without the gather the upper triangle stays as zero columns, which avoids a slow mask.
        self.dots = tfrs.layers.feature_interaction.DotInteraction(skip_gather=True)

    def call(self, sides: Sides) -> Sides:
        """Append the dot products [B, n * n]; entries above the diagonal are 0."""
        both = join(sides)
        context_width = sides.context.shape[1]
        spans = [
            (start + (context_width if side == "candidate" else 0), width)
            for side, start, width, _ in self.layout.embedded()
        ]
        dots = self.dots([both[:, start : start + width] for start, width in spans])
        return Sides(sides.context, tf.concat([sides.candidate, dots], axis=1))


def _one_width(widths: set[int]) -> None:
    if len(widths) > 1:
        raise ValueError(
            f"name: dots needs embeddings of one width, got the widths {sorted(widths)}: "
            "give all embedded features the same dimension"
        )
