"""Adaptive information transfer along a sequence of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pydantic import Field

from ranker import replicas
from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units, check_names
from ranker.layers import Expert, Sides, SplitDense, Tower
from ranker.lazy_tensorflow import Layer, tf
from ranker.schema import Schema


@ARCHITECTURES.register("aitm")
class AITM(Architecture):
    """Each task attends to information from the previous task and to its own network. Xi et al., KDD 2021.

    Tasks form a funnel: impression, click, approval, activation. The paper's ``calibrator`` penalises a later task
    predicted as more probable than the one before it. It is for binary tasks without ``given:``, whose product of
    probabilities already keeps that order, and is off by default.
    """

    class Options(ArchitectureOptions):
        """Network and transfer units, order of the tasks, weight of the calibrator."""

        name: Literal["aitm"] = "aitm"
        bottom: Units = Field((256, 128), min_length=1, description="Units of each task's network.")
        transfer: int = Field(64, ge=1, description="Units of the vector passed to the next task.")
        order: tuple[str, ...] | None = Field(None, description="All tasks, earliest first; default: as declared.")
        calibrator: float = Field(0.0, ge=0, description="Weight of mean max(p_t - p_{t-1}, 0); paper: 0.6.")

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if ``order`` does not list every task once, or the calibrator does not apply."""
            if self.order is not None:
                check_names(self.order, list(schema.tasks), "order")
                missing = [task for task in schema.tasks if task not in self.order]
                if missing:
                    raise ValueError(f"order: lacks {', '.join(missing)}; it must list every task")
            for name, task in schema.tasks.items():
                if self.calibrator and not task.probability:
                    raise ValueError(
                        f"calibrator: compares probabilities, and {name} is a {task.kind} task; leave it at 0"
                    )
                if self.calibrator and task.given:
                    raise ValueError(
                        f"calibrator: {name} is given {task.given}, so the product of probabilities already keeps the "
                        "order, and its conditional probability may be larger; leave it at 0"
                    )

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        order = self.options.order or ()
        chain = [*order, *(task for task in self.tasks if task not in order)]
        self.chain = [self.tasks.index(task) for task in chain]
        self.trunk = _Chain(self.options, chain[:-1])
        places = {task: place for place, task in enumerate(chain)}
        self.heads = [_Head(self.options, task, places[task], last=task == chain[-1]) for task in self.tasks]

    def penalties(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """The calibrator: mean excess of a later task's probability over the earlier task's."""
        if not self.options.calibrator:
            return []
        p = [tf.sigmoid(logits[task]) for task in self.chain if task < len(logits)]
        over = [replicas.mean(tf.nn.relu(late - early)) for early, late in pairwise(p)]
        return [self.options.calibrator * tf.add_n(over)] if over else []


class TransferUnit(Layer):
    """Attention over two vectors: ``sum_u softmax(<query(u), key(u)> / sqrt(k)) value(u)``, u in {transferred, own}."""

    def __init__(self, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units
        self.value, self.query, self.key = (SplitDense(units, name=part) for part in ("value", "query", "key"))

    def call(self, vectors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Map one or two vectors [B, k] to [B, k]."""
        scores = [tf.reduce_sum(self.query(u) * self.key(u), axis=1, keepdims=True) for u in vectors]
        weights = tf.nn.softmax(tf.concat(scores, axis=1) / self.units**0.5)
        return tf.add_n([weights[:, i : i + 1] * self.value(u) for i, u in enumerate(vectors)])


class _Link(Layer):
    """One task of the chain: attends to its network's output and the previous task's z to give z [B, k]."""

    def __init__(self, options: AITM.Options, task: str, first: bool) -> None:
        super().__init__(name=f"link_{task}")
        bottom = (*options.bottom, options.transfer)
        self.bottom = Expert(bottom, options.activation, options.dropout, name=f"bottom_{task}")
        self.inform = None if first else SplitDense(options.transfer, options.activation, name="inform")
        self.attend = None if first else TransferUnit(options.transfer, name="attend")

    def call(self, sides: Sides, before: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        own = self.bottom(sides, training=training)
        if self.inform is None or self.attend is None:
            return own
        return self.attend([self.inform(before), own])


class _Chain(Layer):
    """Map sides to [context, candidate, z of every task but the last]."""

    def __init__(self, options: AITM.Options, chain: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.links = [_Link(options, task, first=place == 0) for place, task in enumerate(chain)]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        outputs: list[tf.Tensor] = []
        for link in self.links:
            outputs.append(link(sides, outputs[-1] if outputs else None, training=training))
        return [*sides, *outputs]


class _Head(Head):
    """A tower on the task's z; the last task computes its z here, since no other task reads it."""

    def __init__(self, options: AITM.Options, task: str, place: int, last: bool) -> None:
        super().__init__(name=f"head_{task}")
        self.place = place
        self.link = _Link(options, task, first=place == 0) if last else None
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"head_{task}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        if self.link is None:
            return self.tower(shared[2 + self.place], training=training)
        before = shared[-1] if self.place else None
        return self.tower(self.link(Sides(*shared[:2]), before, training=training), training=training)
