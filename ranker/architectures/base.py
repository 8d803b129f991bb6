"""Base class of architectures: a trunk shared by tasks, and one head per task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field

from ranker.config.closed import Closed
from ranker.encoding.layout import Layout
from ranker.layers import Inputs
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry, alternatives
from ranker.schema import Schema

Units = tuple[int, ...]


class ArchitectureOptions(Closed):
    """Options common to all architectures; each adds its ``name`` and its own options."""

    name: str = ""

    unused: ClassVar[tuple[str, ...]] = ()
    """Options common to all that it does not take: ``compare`` leaves them out when it varies the architecture."""

    towers: Units = Field((64,), description="Units of each task's tower; empty for a single linear layer.")
    activation: str = Field(
        "relu", pattern="^(relu|gelu|elu|selu|swish|tanh|sigmoid)$", description="Activation of hidden layers."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Fraction of hidden units dropped in training.")

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError``, naming the option, if the options do not fit the tasks or features."""
        del schema


class Architecture(Layer):
    """Maps sides to logits through ``trunk`` and ``heads``.

    ``trunk`` maps the sides to a list of tensors. It holds exactly the variables that more than one task reads or that
    a penalty ties together. Each of ``heads`` maps that list to one task's logit [B, 1] with variables of that task
    only. Task gradients are compared at the trunk's outputs; variables of a head never see conflicting gradients.
    """

    Options: ClassVar[type[ArchitectureOptions]]
    trainable: ClassVar[bool] = True
    """Whether it has weights. One without is not trained: interaction, balancing, optimiser and epochs are not used."""
    reads_trees: ClassVar[bool] = False
    """Whether it needs the tree scores of all tasks; the config's ``trees`` is then implied."""
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
        """Build the architecture for an input layout; most do not use the positions of features."""
        del layout
        return cls(tasks, options)

    @classmethod
    def read(cls, layout: Layout) -> Layout:
        """The part of an input layout that it reads, by default all; the rest is no input of the graph."""
        return layout

    @property
    def embedding_sets(self) -> int:
        """Number of embedding sets it reads; if more than one, the inputs are a list with one pair of sides per set."""
        return 1

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Map context [B, C] or [1, C] and candidate [B, I] to logits [B, T] in task order."""
        return tf.stack(self.logits(self.trunk(inputs, training=training), training=training), axis=1)

    def logits(self, shared: list[tf.Tensor], training: bool = False, heads: int | None = None) -> list[tf.Tensor]:
        """Map the trunk's tensors to the logits [B] of all heads, or of the first ``heads`` only.

        Logits are not stacked: a loss on one column of a stack would backpropagate zeros through all heads.
        """
        return [head(shared, training=training)[:, 0] for head in self.heads[:heads]]

    def penalties(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """Scalar penalties on the tasks' logits (T tensors [B]) to add to the objective; none by default."""
        del logits
        return []


class Head(Layer):
    """One task's own layers: map the trunk's list of tensors to a logit [B, 1]."""

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the task's logit [B, 1]."""
        raise NotImplementedError


def check_names(names: Sequence[str], tasks: Sequence[str], path: str) -> None:
    """Raise ``ValueError`` for an unknown task or one listed twice."""
    for name in names:
        if name not in tasks:
            raise ValueError(f"{path}: {name!r} is not a task{alternatives(name, tasks, 'tasks')}")
        if list(names).count(name) > 1:
            raise ValueError(f"{path}: {name!r} is listed twice")


ARCHITECTURES: Registry[type[Architecture]] = Registry("architecture")
