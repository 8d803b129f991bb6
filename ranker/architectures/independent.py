"""One network a task, and ESMM's preset of it."""

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
    """Networks that share nothing but, if so chosen, the embeddings: what fusing single-task models amounts to.

    The single-task baseline of Caruana, "Multitask Learning", Machine Learning 1997.
    """

    class Options(NetworkOptions):
        """Whether the tasks' networks read the same embeddings."""

        name: Literal["independent"] = "independent"
        embeddings: Literal["shared", "own"] = Field(
            "shared", description="own: each task embeds the ids by itself, as models trained apart would."
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
        """One a task, or one for all."""
        return len(self.tasks) if self.options.embeddings == "own" else 1


@ARCHITECTURES.register("esmm")
class ESMM(Architecture):
    """Entire-space model: independent networks over shared embeddings. Ma et al., SIGIR 2018.

    What makes it ESMM is the funnel: tasks that say ``given: click`` are trained over all impressions through
    pCTCVR = pCTR x pCVR (``ranker.funnels``). The same funnel works over every other architecture.
    """

    class Options(NetworkOptions):
        """Nothing more to set."""

        name: Literal["esmm"] = "esmm"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` where no task is conditional."""
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
