"""What every architecture is: a trunk that tasks share, and one head a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field

from ranker.config.closed import Closed
from ranker.encoding.layout import Layout
from ranker.layers import Inputs
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry, nearest
from ranker.schema import Schema

Units = tuple[int, ...]


class ArchitectureOptions(Closed):
    """Options that every architecture has; each adds its ``name`` and its own."""

    name: str = ""

    towers: Units = Field((64,), description="Units of each task's tower; empty for a single linear layer.")
    activation: str = Field(
        "relu", pattern="^(relu|gelu|elu|selu|swish|tanh|sigmoid)$", description="Of hidden layers."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of hidden units dropped while training.")

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError``, naming the option, where the options do not fit the tasks or features."""
        del schema


class Architecture(Layer):
    """Sides to logits, through ``trunk`` and ``heads``.

    ``trunk`` turns the sides into a list of tensors: all that more than one task reads or that a penalty ties, and
    nothing else. Each of ``heads`` turns that list into one task's logit [B, 1] with variables that only this task
    uses. Where the trunk ends is where gradients of tasks are compared, and what lies behind it is never pulled two
    ways.
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

    @classmethod
    def of_layout(cls, tasks: Sequence[str], options: ArchitectureOptions, layout: Layout) -> Self:
        """Make one for given inputs; most need not know where a feature lies."""
        del layout
        return cls(tasks, options)

    @property
    def embedding_sets(self) -> int:
        """How many embeddings of each id it reads; with more than one, inputs are a list of so many sides."""
        return 1

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Context [B, C] or [1, C] and candidate [B, I] to logits [B, T] in task order."""
        return tf.stack(self.logits(self.trunk(inputs, training=training), training=training), axis=1)

    def logits(self, shared: list[tf.Tensor], training: bool = False, heads: int | None = None) -> list[tf.Tensor]:
        """The trunk's tensors to the logits [B] of all heads, or of the first so many.

        They are not stacked: a loss that reads one column of a stack would send zeros back through all heads.
        """
        return [head(shared, training=training)[:, 0] for head in self.heads[:heads]]

    def penalties(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """Scalars to add to the objective that compare the tasks' logits, T times [B]; none by default."""
        del logits
        return []


class Head(Layer):
    """One task's own part: the trunk's list of tensors to a logit [B, 1]."""

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the task's logit [B, 1]."""
        raise NotImplementedError


def check_names(names: Sequence[str], tasks: Sequence[str], path: str) -> None:
    """Raise ``ValueError`` for a name that is no task or is listed twice."""
    for name in names:
        if name not in tasks:
            hint = nearest(name, list(tasks))
            raise ValueError(f"{path}: {name!r} is no task{'; ' + hint if hint else ''} (tasks: {', '.join(tasks)})")
        if list(names).count(name) > 1:
            raise ValueError(f"{path}: {name!r} is listed twice")


ARCHITECTURES: Registry[type[Architecture]] = Registry("architecture")
