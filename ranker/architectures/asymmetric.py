"""Asymmetric sharing: some tasks' bottoms also feed other tasks' towers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units, check_names
from ranker.layers import Expert, Sides, Tower
from ranker.lazy_tensorflow import Layer, tf
from ranker.schema import Schema


@ARCHITECTURES.register("asymmetric")
class Asymmetric(Architecture):
    """Each task has its own bottom; ``feeds`` lists the other towers that also read it, in one direction.

    "Asymmetric sharing" in Tang et al., "Progressive Layered Extraction", RecSys 2020, figure 1.
    """

    class Options(ArchitectureOptions):
        """Bottom units, and which task feeds which."""

        name: Literal["asymmetric"] = "asymmetric"
        bottom: Units = Field((256, 128), min_length=1, description="Units of each task's bottom.")
        feeds: dict[str, tuple[str, ...]] | None = Field(
            None, description="By task, the other tasks its bottom feeds. By default the first task feeds all others."
        )
        stop_gradient: bool = Field(False, description="Train each bottom on its own task only.")

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if ``feeds`` names an unknown task or a task feeds itself."""
            tasks = list(schema.tasks)
            check_names(list(self.feeds or {}), tasks, "feeds")
            for source, fed in (self.feeds or {}).items():
                check_names(fed, [task for task in tasks if task != source], f"feeds.{source}")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        feeds = self.options.feeds
        if feeds is None:
            feeds = {self.tasks[0]: self.tasks[1:]}
        shared = [task for task in self.tasks if feeds.get(task)]
        self.trunk = _Bottoms(self.options, shared)
        self.heads = [
            _Head(
                self.options,
                own=shared.index(task) if task in shared else None,
                fed=[i for i, source in enumerate(shared) if task in feeds[source]],
                name=f"head_{task}",
            )
            for task in self.tasks
        ]


def _bottom(options: Asymmetric.Options, task: str) -> Expert:
    return Expert(options.bottom, options.activation, options.dropout, name=f"bottom_{task}")


class _Bottoms(Layer):
    """Map sides to [context, candidate, bottom of each task that feeds another ...]."""

    def __init__(self, options: Asymmetric.Options, shared: Sequence[str]) -> None:
        super().__init__(name="trunk")
        self.bottoms = [_bottom(options, task) for task in shared]

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        return [*sides, *(bottom(sides, training=training) for bottom in self.bottoms)]


class _Head(Head):
    def __init__(self, options: Asymmetric.Options, own: int | None, fed: list[int], name: str) -> None:
        super().__init__(name=name)
        self.place, self.fed, self.stop = own or 0, fed, options.stop_gradient
        self.own = _bottom(options, name) if own is None else None
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        own = shared[2 + self.place] if self.own is None else self.own(Sides(*shared[:2]), training=training)
        others = [tf.stop_gradient(shared[2 + i]) if self.stop else shared[2 + i] for i in self.fed]
        return self.tower(tf.concat([own, *others], axis=1), training=training)
