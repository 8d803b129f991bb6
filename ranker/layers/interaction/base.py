"""What every feature interaction is."""

from __future__ import annotations

from typing import ClassVar

from ranker.config.closed import Closed
from ranker.encoding.layout import Layout
from ranker.layers.sides import Sides
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry
from ranker.schema import Schema


class InteractionOptions(Closed):
    """Base of the options of an interaction; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError``, naming the option, where the interaction cannot be had with these features."""
        del schema


class Interaction(Layer):
    """Sides to sides: what crosses context and candidate is put beside the candidate's inputs.

    The context stays as it is, so that dense layers behind still multiply it once a request.
    """

    Options: ClassVar[type[InteractionOptions]]

    def __init__(self, layout: Layout, options: InteractionOptions | None = None) -> None:
        super().__init__(name="interaction")
        self.layout = layout
        self.options = options if options is not None else self.Options()

    @property
    def wide_variables(self) -> list[tf.Variable]:
        """Weights of a linear function of all inputs, if it has one: a group of their own for optimisers."""
        return []

    def call(self, sides: Sides) -> Sides:
        """Context [B, C] or [1, C] and candidate [B, I] to context and candidate [B, I + J]."""
        raise NotImplementedError


INTERACTIONS: Registry[type[Interaction]] = Registry("interaction")
