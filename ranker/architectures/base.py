"""What every architecture is: a trunk that tasks share, and one head a task."""

from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf
from pydantic import Field

from ranker.layers import Sides
from ranker.registry import Registry
from ranker.schema import Closed

Units = tuple[int, ...]


class ArchitectureOptions(Closed):
    """Options that every architecture has; each adds its ``name`` and its own."""

    name: str = ""

    towers: Units = Field((64,), description="Units of each task's tower; empty for a single linear layer.")
    activation: str = Field(
        "relu", pattern="^(relu|gelu|elu|selu|swish|tanh|sigmoid)$", description="Of hidden layers."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of hidden units dropped while training.")


class Architecture(tf.keras.layers.Layer):
    """Sides to logits, through ``trunk`` and ``heads``.

    ``trunk`` turns the sides into a list of tensors: all that more than one task reads, and nothing else. Each of
    ``heads`` turns that list into one task's logit [B, 1] with variables that only this task uses. Where the trunk
    ends is where gradients of tasks are compared, and what lies behind it is never pulled two ways.
    """

    Options: ClassVar[type[ArchitectureOptions]]
    trunk: tf.keras.layers.Layer
    heads: list[tf.keras.layers.Layer]

    def __init__(self, tasks: Sequence[str], options: ArchitectureOptions | None = None) -> None:
        if not tasks:
            raise ValueError("an architecture needs at least one task, got none")
        super().__init__(name="architecture")
        self.tasks = tuple(tasks)
        self.options = options if options is not None else self.Options()

    def call(self, sides: Sides, training: bool = False) -> tf.Tensor:
        """Context [B, C] or [1, C] and candidate [B, I] to logits [B, T] in task order."""
        return tf.stack(self.logits(self.trunk(sides, training=training), training=training), axis=1)

    def logits(self, shared: list[tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """The trunk's tensors to T logits [B].

        They are not stacked: a loss that reads one column of a stack would send zeros back through all heads.
        """
        return [head(shared, training=training)[:, 0] for head in self.heads]


class Head(tf.keras.layers.Layer):
    """One task's own part: the trunk's list of tensors to a logit [B, 1]."""

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the task's logit [B, 1]."""
        raise NotImplementedError


ARCHITECTURES: Registry[type[Architecture]] = Registry("architecture")
