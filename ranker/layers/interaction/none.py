"""No interaction: the inputs are passed through unchanged."""

from typing import Literal

from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.sides import Sides


@INTERACTIONS.register("none")
class NoInteraction(Interaction):
    """Return the sides unchanged."""

    class Options(InteractionOptions):
        """No options."""

        name: Literal["none"] = "none"

    def call(self, sides: Sides) -> Sides:
        """Return the sides unchanged."""
        return sides
