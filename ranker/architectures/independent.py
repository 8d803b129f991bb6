"""One network per task, and ESMM, which is a preset of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.architectures.parts import InputsTrunk
from ranker.layers import Sides, Tower
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


class NetworkOptions(ArchitectureOptions):
    """Units of each task's network below its tower."""

    network: Units = Field((256, 128), description="Units of each task's layers before its tower.")


@ARCHITECTURES.register("independent")
class Independent(Architecture):
    """Networks that share at most the embeddings: equivalent to fusing single-task models.

    The single-task baseline of Caruana, "Multitask Learning", Machine Learning 1997.
    """

    class Options(NetworkOptions):
        """Whether the tasks' networks share embeddings."""

        name: Literal["independent"] = "independent"
        embeddings: Literal["shared", "own"] = Field(
            "shared", description="shared: one set of embeddings. own: one set per task, as in separate models."
        )

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = InputsTrunk()
        own = self.options.embeddings == "own"
        self.heads = [
            _NetworkHead(self.options, i if own else 0, name=f"head_{task}") for i, task in enumerate(self.tasks)
        ]

    @property
    def embedding_sets(self) -> int:
        """One per task, or one for all."""
        return len(self.tasks) if self.options.embeddings == "own" else 1


@ARCHITECTURES.register("esmm")
class ESMM(Architecture):
    """Entire-space model: independent networks over shared embeddings. Ma et al., SIGIR 2018.

    The funnel makes it ESMM: tasks with ``given: click`` are trained over all impressions through
    pCTCVR = pCTR x pCVR (``ranker.funnels``). The same funnel works with every other architecture.
    """

    class Options(NetworkOptions):
        """No further options."""

        name: Literal["esmm"] = "esmm"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if no task is conditional."""
            if not any(task.given for task in schema.tasks.values()):
                raise ValueError("name: esmm needs a task with `given`, for example purchase: {given: click}")

    options: Options

    def __init__(self, tasks: Sequence[str], options: Options | None = None) -> None:
        super().__init__(tasks, options)
        self.trunk = InputsTrunk()
        self.heads = [_NetworkHead(self.options, 0, name=f"head_{task}") for task in self.tasks]


class _NetworkHead(Head):
    def __init__(self, options: NetworkOptions, embeddings: int, name: str) -> None:
        super().__init__(name=name)
        self.first = 2 * embeddings
        units = (*options.network, *options.towers)
        self.tower = Tower(units, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        return self.tower(Sides(*shared[self.first : self.first + 2]), training=training)
