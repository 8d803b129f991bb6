"""No interaction: the experts get the inputs as they are."""

from typing import Literal

from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.sides import Sides


@INTERACTIONS.register("none")
class NoInteraction(Interaction):
    """Return the sides unchanged."""

    class Options(InteractionOptions):
        """Nothing to set."""

        name: Literal["none"] = "none"

    def call(self, sides: Sides) -> Sides:
        """Sides as they are."""
        return sides
