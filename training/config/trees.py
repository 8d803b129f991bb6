"""The config's ``trees``: boosted trees beside the network, whose scores it reads or is blended with."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ranker.config.closed import Closed, Name
from ranker.registry import require_known
from ranker.trees import MOST_LEAVES


class TreeOptions(Closed):
    """One LightGBM per task on the encoded inputs; its scores are inputs of the candidate side, or blended."""

    of: Literal["all"] | tuple[Name, ...] = Field("all", description="Tasks that get trees: all, or a list of names.")
    blend: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Weight of the trees' logit in a served one, the rest is the network's, which then does not read "
        "the trees' scores; by default scores are inputs.",
    )
    rounds: Literal["auto"] | Annotated[int, Field(ge=1, le=5000)] = Field(
        100, description="Trees per task; auto: as many as are best on the rows of a fold, up to max_rounds."
    )
    max_rounds: int = Field(500, ge=1, le=5000, description="Most trees per task of rounds: auto.")
    leaves: int = Field(31, ge=2, le=MOST_LEAVES, description="Maximum leaves per tree.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Learning rate.")
    folds: int = Field(
        5, ge=2, le=20, description="Folds of training rows; a row's score is of trees without its fold."
    )
    least_rows: int = Field(20, ge=1, description="Minimum rows per leaf.")
    l2: float = Field(0.0, ge=0, description="L2 penalty of leaf values.")
    column_fraction: float = Field(1.0, gt=0, le=1, description="Fraction of columns drawn for each tree.")

    @property
    def needs_folds(self) -> bool:
        """Whether boosters are fitted without a fold: for scores of training rows, or to choose the rounds."""
        return self.blend is None or self.rounds == "auto"

    def tasks(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """Those of the schema's tasks that get trees, in their order."""
        return tuple(tasks) if self.of == "all" else tuple(task for task in tasks if task in self.of)

    def check(self, tasks: Sequence[str]) -> None:
        """Raise ``ValueError`` for an unknown task, one listed twice, and an empty list."""
        if self.of == "all":
            return
        if not self.of:
            raise ValueError("trees.of: lists no task; leave trees out, or name tasks")
        for name in self.of:
            require_known(name, list(tasks), "trees.of", "a task")
            if self.of.count(name) > 1:
                raise ValueError(f"trees.of: {name!r} is listed twice")
