"""Route of one request: its model, and the fusion and group assigned by an experiment."""

from dataclasses import dataclass

from serving.protocol.messages import FusionChoice
from serving.ranking.ranker import Ranker


@dataclass(frozen=True)
class Route:
    """The model and fusion that rank one request, and its experiment group."""

    model: str
    ranker: Ranker
    fusion: FusionChoice | None = None
    """The group's fusion, if any; a request that names a fusion itself is in no group."""
    experiment: dict[str, str | None] | None = None
    """The experiment as reported in answers."""

    @property
    def version(self) -> int:
        """The model's version number."""
        return self.ranker.artifact.manifest.version

    @property
    def group(self) -> str:
        """Metric label: the group, or ``_`` and the reason for none; empty without an experiment."""
        experiment = self.experiment
        return "" if experiment is None else experiment["group"] or f"_{experiment['outside']}"
