"""Registry of feature interactions by config name; to add one, add a file and a line here."""

from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.interaction.cross import CrossInteraction
from ranker.layers.interaction.dots import DotsInteraction
from ranker.layers.interaction.fm import FMInteraction
from ranker.layers.interaction.none import NoInteraction

__all__ = [
    "INTERACTIONS",
    "CrossInteraction",
    "DotsInteraction",
    "FMInteraction",
    "Interaction",
    "InteractionOptions",
    "NoInteraction",
]
