"""What ranks one request: a model, and the fusion and group that an experiment gives it."""

from dataclasses import dataclass

from serving.protocol.messages import FusionChoice
from serving.ranking.ranker import Ranker


@dataclass(frozen=True)
class Route:
    """What ranks one request, and why."""

    model: str
    ranker: Ranker
    fusion: FusionChoice | None = None
    """The group's, where there is one; a request that names a fusion is in no group."""
    experiment: dict[str, str | None] | None = None
    """As answers tell it."""

    @property
    def version(self) -> int:
        """Number of the model's version."""
        return self.ranker.artifact.manifest.version

    @property
    def group(self) -> str:
        """The metrics' label: the group, or why there is none behind ``_``; empty without an experiment."""
        told = self.experiment
        return "" if told is None else told["group"] or f"_{told['outside']}"
