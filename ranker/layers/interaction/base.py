"""Base class of feature interactions."""

from __future__ import annotations

from typing import ClassVar

from ranker.config.closed import Closed
from ranker.encoding.layout import Layout
from ranker.layers.sides import Sides
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry
from ranker.schema import Schema


class InteractionOptions(Closed):
    """Base options of an interaction; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError``, naming the option, if the interaction does not support these features."""
        del schema


class Interaction(Layer):
    """Maps sides to sides: crosses of context and candidate are appended to the candidate's inputs.

    The context is unchanged, so that later dense layers still multiply it once per request.
    """

    Options: ClassVar[type[InteractionOptions]]

    def __init__(self, layout: Layout, options: InteractionOptions | None = None) -> None:
        super().__init__(name="interaction")
        self.layout = layout
        self.options = options if options is not None else self.Options()

    @property
    def wide_variables(self) -> list[tf.Variable]:
        """Weights of a linear function of all inputs, if any; they form their own optimiser group."""
        return []

    def call(self, sides: Sides) -> Sides:
        """Map context [B, C] or [1, C] and candidate [B, I] to the context and candidate [B, I + J]."""
        raise NotImplementedError


INTERACTIONS: Registry[type[Interaction]] = Registry("interaction")
