"""What new requests are served by, all at once: every model's ranker and the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from serving.protocol.bounds import Bounds
from serving.protocol.compatibility import differences_of
from serving.protocol.errors import RequestError
from serving.ranking.ranker import Ranker
from serving.ranking.route import Route
from serving.registry.catalog import unknown

CHOSEN, NO_UNIT, NOT_COVERED = "chosen", "no_unit", "not_covered"
"""Why a request is in no group: it names a model or a fusion, it names no unit, its unit does not take part."""


class ExperimentError(ValueError):
    """An experiment that the models cannot serve; its text says which group and why."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment's models and experiment; nothing of it changes, so a request that holds it sees one moment."""

    rankers: Mapping[str, Ranker]
    default: str
    experiment: Experiment | None = None

    @cached_property
    def _split(self) -> Split | None:
        return None if self.experiment is None else Split(self.experiment)

    @cached_property
    def bounds(self) -> Bounds:
        """How much a request may hold before it is known which model it is for."""
        each = [ranker.checker.bounds for ranker in self.rankers.values()]
        return Bounds(max(bounds.candidates for bounds in each), max(bounds.columns for bounds in each))

    def version(self, model: str) -> int:
        """Number of a model's version."""
        return self.rankers[model].artifact.manifest.version

    def route(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Route:
        """Find what ranks a request. Raises ``RequestError`` for a model that is not there."""
        name, fusion = body.get("model"), body.get("fusion")
        if isinstance(name, str) and name not in self.rankers:
            raise RequestError([("model", unknown(name, self.rankers))])
        # What is no name at all is told by the parser, with all else that is wrong.
        model = name if isinstance(name, str) else self.default
        if self.experiment is None or self._split is None:
            return Route(model, self.rankers[model])
        outside = CHOSEN
        if name is None and fusion is None:
            unit = self._split.unit_of(body, headers)
            group = None if unit is None else self._split.group_of(unit)
            if group is not None:
                chosen = self.experiment.groups[group]
                model = chosen.model or self.default
                told: dict[str, str | None] = {"name": self.experiment.name, "group": group}
                return Route(model, self.rankers[model], chosen.choice, told)
            outside = NO_UNIT if unit is None else NOT_COVERED
        told = {"name": self.experiment.name, "group": None, "outside": outside}
        return Route(model, self.rankers[model], experiment=told)

    def check(self) -> None:
        """Raise ``ExperimentError`` where a group's model or fusion could not serve what its users send.

        A client does not know its user's group, so every group's model must take the default one's requests.
        """
        if self.experiment is None:
            return
        default = self.rankers[self.default].artifact
        for name, group in self.experiment.groups.items():
            model, where = group.model or self.default, f"experiment.groups.{name}"
            artifact = self.rankers[model].artifact
            columns = [artifact.schema.column(feature) for feature in artifact.schema.context]
            if self.experiment.unit is not None and self.experiment.unit not in columns:
                raise ExperimentError(
                    f"experiment.unit: {self.experiment.unit!r} is no column of the context of model {model!r} "
                    f"(its columns: {', '.join(columns)}); a header can name the user too"
                )
            differences = differences_of(default, artifact) if artifact is not default else []
            differing = [part for part in differences if part != "objectives"]
            if differing:
                raise ExperimentError(
                    f"{where}.model: {model!r} takes other requests than {self.default!r} ({', '.join(differing)}), "
                    "and a client does not know its user's group"
                )
            try:
                self.rankers[model].plan(group.choice)
            except RequestError as error:
                raise ExperimentError(f"{where}.fusion: {error.problems[0]['reason']}") from None
