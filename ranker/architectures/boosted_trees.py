"""Boosted trees alone: each task's logit is its tree score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, Self

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head
from ranker.encoding.layout import Layout, SideLayout
from ranker.layers import Sides
from ranker.lazy_tensorflow import Layer, tf
from ranker.schema import Schema


class Place(NamedTuple):
    """The column of a tree score among the candidate's numbers, counted from the end, and its standardisation."""

    from_end: int
    shift: float = 0.0
    scale: float = 1.0


@ARCHITECTURES.register("boosted_trees")
class BoostedTrees(Architecture):
    """No network: the trees of the config's ``trees`` give the logits, and nothing is left to train.

    One LightGBM per task (Ke et al., NeurIPS 2017) on the encoded inputs. Without ``places`` the last columns of the
    candidate's side are the logits.
    """

    trainable = False
    reads_trees = True

    class Options(ArchitectureOptions):
        """None of its own: those of the trees are under ``trees``."""

        name: Literal["boosted_trees"] = "boosted_trees"

        unused: ClassVar[tuple[str, ...]] = ("towers", "activation", "dropout")

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` for an option of layers."""
            del schema
            for option in self.unused:
                if getattr(self, option) != type(self).model_fields[option].default:
                    raise ValueError(f"{option}: boosted_trees has no layers; leave it out")

    options: Options

    def __init__(
        self, tasks: Sequence[str], options: Options | None = None, places: Sequence[Place] | None = None
    ) -> None:
        """``places`` [T] of the tasks' scores."""
        super().__init__(tasks, options)
        self.trunk = _Scores(places or [Place(len(self.tasks) - place) for place in range(len(self.tasks))])
        self.heads = [_Column(place, name=f"head_{task}") for place, task in enumerate(self.tasks)]

    @classmethod
    def of_layout(cls, tasks: Sequence[str], options: ArchitectureOptions, layout: Layout) -> Self:
        """Look up the tasks' tree scores. Raises ``ValueError`` for a task without trees."""
        assert isinstance(options, BoostedTrees.Options)
        fields, width = {field.task: field for field in layout.candidate.trees}, layout.candidate.number_width
        for task in tasks:
            if task not in fields:
                raise ValueError(f"boosted_trees needs trees of every task, but {task!r} has none")
        found = [fields[task] for task in tasks]
        return cls(tasks, options, [Place(width - field.start, field.shift, field.scale) for field in found])

    @classmethod
    def read(cls, layout: Layout) -> Layout:
        """The candidate's numbers: trees have read all other inputs in the encoder."""
        return Layout(SideLayout((), ()), SideLayout((), layout.candidate.numbers), {})


class _Scores(Layer):
    """Map sides to the tree scores [B, T], as sums of trees again."""

    def __init__(self, places: Sequence[Place]) -> None:
        super().__init__(name="trunk")
        self.places = list(places)

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        del training  # nothing is trained
        width = int(sides.candidate.shape[-1])
        columns = [sides.candidate[:, width - p.from_end : width - p.from_end + 1] for p in self.places]
        scale = tf.constant([1.0 / p.scale for p in self.places])
        return [tf.concat(columns, axis=1) * scale + tf.constant([p.shift for p in self.places])]


class _Column(Head):
    """One task's score."""

    def __init__(self, place: int, name: str) -> None:
        super().__init__(name=name)
        self.place = place

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        del training  # nothing is trained
        return shared[0][:, self.place : self.place + 1]
