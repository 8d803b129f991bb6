"""Deep Bayesian multi-target learning: tasks conditioned on other tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units, check_names
from ranker.layers import Expert, Sides, SplitDense
from ranker.lazy_tensorflow import Layer, tf
from ranker.schema import Schema


@ARCHITECTURES.register("dbmtl")
class DBMTL(Architecture):
    """Above a shared bottom, each task also reads the last layers of the tasks it depends on. Wang et al., 2019.

    "Deep Bayesian Multi-Target Learning for Recommender Systems", arXiv 1902.09154: the joint probability of the
    targets is factorised along a graph, and each factor is a network of its parents' hidden layers.
    """

    class Options(ArchitectureOptions):
        """Layer units, and which task depends on which."""

        name: Literal["dbmtl"] = "dbmtl"
        bottom: Units = Field((256, 128), min_length=1, description="Units of the shared layers.")
        relation: Units = Field((32,), min_length=1, description="Units of the layers that read the parent tasks.")
        towers: Units = Field((64,), min_length=1, description="Units of each task's own layers above the bottom.")
        after: dict[str, tuple[str, ...]] | None = Field(
            None, description="By task, its parent tasks. By default each depends on all tasks declared before it."
        )

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if ``after`` names an unknown task or has a cycle."""
            tasks = list(schema.tasks)
            check_names(list(self.after or {}), tasks, "after")
            for task, parents in (self.after or {}).items():
                check_names(parents, [other for other in tasks if other != task], f"after.{task}")
            _ordered(tasks, self.after or {})

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        after: Mapping[str, tuple[str, ...]] | None = self.options.after
        if after is None:
            after = {task: self.tasks[:i] for i, task in enumerate(self.tasks)}
        read = {parent for parents in after.values() for parent in parents}
        chain = [task for task in _ordered(self.tasks, after) if task in read]
        self.trunk = _Graph(self.options, chain, after)
        self.heads = [_Head(self.options, task, chain, after.get(task, ())) for task in self.tasks]


def _ordered(tasks: Sequence[str], after: Mapping[str, Sequence[str]]) -> list[str]:
    """Sort tasks topologically, parents first. Raises ``ValueError`` for a cycle."""
    ordered: list[str] = []
    while len(ordered) < len(tasks):
        ready = [t for t in tasks if t not in ordered and all(parent in ordered for parent in after.get(t, ()))]
        if not ready:
            circle = ", ".join(t for t in tasks if t not in ordered)
            raise ValueError(f"after: has a cycle among {circle}")
        ordered += ready
    return ordered


class _Node(Layer):
    """One task's layers above the bottom, and the layers that also read its parents."""

    def __init__(self, options: DBMTL.Options, task: str) -> None:
        super().__init__(name=f"node_{task}")
        self.own = Expert(options.towers, options.activation, options.dropout, name=f"own_{task}")
        self.relation = Expert(options.relation, options.activation, options.dropout, name=f"relation_{task}")

    def call(self, inputs: Sequence[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Map [bottom, parent ...] to [B, relation[-1]]."""
        own = self.own(inputs[0], training=training)
        return self.relation(tf.concat([own, *inputs[1:]], axis=1), training=training)


class _Graph(Layer):
    """Map sides to [bottom, last layer of each parent task ...]."""

    def __init__(self, options: DBMTL.Options, chain: Sequence[str], after: Mapping[str, Sequence[str]]) -> None:
        super().__init__(name="trunk")
        self.bottom = Expert(options.bottom, options.activation, options.dropout, name="bottom")
        self.nodes = [_Node(options, task) for task in chain]
        self.parents = [[1 + chain.index(parent) for parent in after.get(task, ())] for task in chain]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        outputs = [self.bottom(sides, training=training)]
        for node, parents in zip(self.nodes, self.parents, strict=True):
            outputs.append(node([outputs[0], *(outputs[i] for i in parents)], training=training))
        return outputs


class _Head(Head):
    def __init__(self, options: DBMTL.Options, task: str, chain: Sequence[str], parents: Sequence[str]) -> None:
        super().__init__(name=f"head_{task}")
        self.place = 1 + chain.index(task) if task in chain else -1
        self.parents = [1 + chain.index(parent) for parent in parents]
        self.node = None if task in chain else _Node(options, task)
        self.logit = SplitDense(1, name="logit")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        if self.node is None:
            return self.logit(shared[self.place])
        return self.logit(self.node([shared[0], *(shared[i] for i in self.parents)], training=training))
