"""Snapshot of what is served: every model's ranker and the experiment."""

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
"""Why a request is in no group: it names a model or a fusion, it names no unit, or its unit is not covered."""


class ExperimentError(ValueError):
    """An experiment that the models cannot serve; the message names the group and the reason."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The models and experiment served at one time. It is immutable, so a request sees a consistent state."""

    rankers: Mapping[str, Ranker]
    default: str
    experiment: Experiment | None = None

    @cached_property
    def split(self) -> Split | None:
        """The experiment's split; ``None`` without an experiment."""
        return None if self.experiment is None else Split(self.experiment)

    @cached_property
    def bounds(self) -> Bounds:
        """Size limits of a request before its model is known: the largest of all models."""
        each = [ranker.checker.bounds for ranker in self.rankers.values()]
        return Bounds(max(bounds.candidates for bounds in each), max(bounds.columns for bounds in each))

    @property
    def ready(self) -> bool:
        """Whether all models can score."""
        return all(ranker.ready for ranker in self.rankers.values())

    def version(self, model: str) -> int:
        """Version number of a model."""
        return self.rankers[model].artifact.manifest.version

    def route(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Route:
        """Choose the model and fusion for a request. Raises ``RequestError`` for an unknown model."""
        name, fusion = body.get("model"), body.get("fusion")
        if isinstance(name, str) and name not in self.rankers:
            raise RequestError([("model", unknown(name, self.rankers))])
        # A name that is not a string is reported by the validation, with all other problems.
        model = name if isinstance(name, str) else self.default
        if self.experiment is None or self.split is None:
            return Route(model, self.rankers[model])
        outside = CHOSEN
        if name is None and fusion is None:
            unit = self.split.unit_of(body, headers)
            group = None if unit is None else self.split.group_of(unit)
            if group is not None:
                chosen = self.experiment.groups[group]
                model = chosen.model or self.default
                report: dict[str, str | None] = {"name": self.experiment.name, "group": group}
                return Route(model, self.rankers[model], chosen.choice, report)
            outside = NO_UNIT if unit is None else NOT_COVERED
        report = {"name": self.experiment.name, "group": None, "outside": outside}
        return Route(model, self.rankers[model], experiment=report)

    def check(self) -> None:
        """Raise ``ExperimentError`` if a group's model or fusion cannot serve its users' requests.

        A client does not know its user's group, so every group's model must accept the default model's requests.
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
                    f"experiment.unit: {self.experiment.unit!r} is not a context column of model {model!r} "
                    f"(its context columns: {', '.join(columns)}); a header can identify the user instead"
                )
            differences = differences_of(default, artifact) if artifact is not default else []
            differing = [part for part in differences if part != "objectives"]
            if differing:
                raise ExperimentError(
                    f"{where}.model: {model!r} has another request schema than {self.default!r} "
                    f"({', '.join(differing)}), and a client does not know its user's group"
                )
            try:
                self.rankers[model].plan(group.choice)
            except RequestError as error:
                raise ExperimentError(f"{where}.fusion: {error.problems[0]['reason']}") from None
