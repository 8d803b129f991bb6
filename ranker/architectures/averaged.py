"""Members of an ensemble side by side, with the mean of their logits; not a choice of a config's ``architecture``."""

from __future__ import annotations

from collections.abc import Sequence

from ranker.architectures.base import Architecture, Head
from ranker.layers import Sides
from ranker.lazy_tensorflow import Layer, tf


class Averaged(Architecture):
    """Architectures of the same kind, options and tasks, each with embedding sets of its own.

    The logits are averaged, not the scores: funnels then multiply probabilities as they do for a single model, and for
    tasks learnt without a transform the two are the same but for the sigmoid.
    """

    def __init__(self, members: Sequence[Architecture]) -> None:
        if not members:
            raise ValueError("members must name at least one architecture, got none")
        first = members[0]
        super().__init__(first.tasks, first.options)
        self.members = list(members)
        self.trunk = _Trunks([member.trunk for member in members], first.embedding_sets)
        heads = zip(*(member.heads for member in members), strict=True)
        self.heads = [_MeanHead(own, f"head_{task}") for task, own in zip(first.tasks, heads, strict=True)]

    @property
    def embedding_sets(self) -> int:
        """The sets of the first member, then those of the next, and so on."""
        return sum(member.embedding_sets for member in self.members)


class _Trunks(Layer):
    """Map the sides of each set to the tensors of the first member's trunk, then those of the next, and so on."""

    def __init__(self, trunks: Sequence[Layer], sets: int) -> None:
        super().__init__(name="trunk")
        self.trunks, self.sets = list(trunks), sets

    def call(self, inputs: Sides | list[Sides], training: bool = False) -> list[tf.Tensor]:
        sides = [inputs] if isinstance(inputs, Sides) else inputs
        outputs: list[tf.Tensor] = []
        for i, trunk in enumerate(self.trunks):
            own = sides[i * self.sets : (i + 1) * self.sets]
            outputs += trunk(own if len(own) > 1 else own[0], training=training)
        return outputs


class _MeanHead(Head):
    def __init__(self, heads: Sequence[Layer], name: str) -> None:
        super().__init__(name=name)
        self.heads = list(heads)

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        size = len(shared) // len(self.heads)  # trunks of one kind have as many outputs
        logits = [head(shared[i * size : (i + 1) * size], training=training) for i, head in enumerate(self.heads)]
        return tf.add_n(logits) / len(logits)
