"""Summarises trial results: the Pareto front, its hypervolume, the picked model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from training.evaluation.pareto_front import Values, hypervolume, non_dominated
from training.sweeps import TrialResult
from training.sweeps.pareto.objectives import Objective, gains
from training.sweeps.pareto.request import Choice
from training.sweeps.pareto.selection import choose, normalised

PICKED, FRONT, DOMINATED = "picked", "on the front", "dominated"


@dataclass(frozen=True)
class Model:
    """One trained model: its weighting, objectives on validation and test rows, and its standing."""

    name: str
    method: str
    weighting: Mapping[str, Any]
    validation: Mapping[str, float]
    test: Mapping[str, float] | None
    normalised: Mapping[str, float]
    """From 0 (worst of all models on the validation rows) to 1 (best)."""
    intervals: Mapping[str, float]
    """Half the width of the 95 % bootstrap interval on the validation rows, if computed."""
    standing: str


@dataclass(frozen=True)
class Summary:
    """All models, the reference point in the metrics' units, hypervolumes by method and overall, errors."""

    rule: str
    preference: Mapping[str, float]
    rows: int
    reference: Mapping[str, float]
    hypervolume: Mapping[str, float]
    hypervolume_test: Mapping[str, float] | None
    models: Sequence[Model]
    errors: Sequence[str]

    @property
    def picked(self) -> int:
        """Index of the picked model."""
        return next(i for i, model in enumerate(self.models) if model.standing == PICKED)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def summarise(
    choice: Choice, done: Sequence[TrialResult], reference: Mapping[str, Any], tested: Mapping[str, Any] | None = None
) -> Summary:
    """Compute the front and pick a model, both on the validation rows; at least one trial must have succeeded.

    ``reference`` holds the mean-label baseline's metrics on validation rows, ``tested`` those on test rows if there are
    any: the reference points of the hypervolumes.
    """
    objectives, succeeded = choice.objectives, [trained for trained in done if trained.error is None]
    found = gains([trained.result["validation"] for trained in succeeded], objectives)
    test = gains([trained.result["metrics"] for trained in succeeded], objectives) if tested is not None else None
    origin = gains([reference], objectives)[0]
    on_front = non_dominated(found)
    picked = int(np.flatnonzero(on_front)[choose(choice.rule, found[on_front], choice.preference)])
    methods = [trained.trial.values["weighting"] for trained in succeeded]
    signs, scaled = np.array([objective.sign for objective in objectives]), normalised(found)
    names = [objective.name for objective in objectives]

    def named(values: Values) -> dict[str, float]:
        return dict(zip(names, map(float, values), strict=True))

    models = [
        Model(
            name=trained.trial.name,
            method=methods[i],
            weighting=trained.trial.experiment.weighting.model_dump(mode="json"),
            validation=named(signs * found[i]),
            test=None if test is None else named(signs * test[i]),
            normalised=named(scaled[i]),
            intervals=_intervals(trained.result["validation"], objectives),
            standing=PICKED if i == picked else FRONT if on_front[i] else DOMINATED,
        )
        for i, trained in enumerate(succeeded)
    ]
    return Summary(
        rule=choice.rule,
        preference=named(choice.preference),
        rows=max(report["rows"] for report in succeeded[0].result["validation"]["tasks"].values()),
        reference=named(signs * origin),
        hypervolume=_volumes(found, found, origin, methods),
        hypervolume_test=None
        if tested is None or test is None
        else _volumes(found, test, gains([tested], objectives)[0], methods),
        models=models,
        errors=[f"{trained.trial.name}: {trained.error}" for trained in done if trained.error is not None],
    )


def _volumes(chosen_by: Values, measured: Values, reference: Values, methods: Sequence[str]) -> dict[str, float]:
    """Hypervolume of each method's front and of the overall front, selected on one row set, measured on another."""
    volumes = {}
    for method in [*dict.fromkeys(methods), "all"]:
        members = np.array([method in (name, "all") for name in methods])
        front = non_dominated(chosen_by[members])
        volumes[method] = hypervolume(measured[members][front], reference)
    return volumes


def _intervals(metrics: Mapping[str, Any], objectives: Sequence[Objective]) -> dict[str, float]:
    halves = {}
    for objective in objectives:
        low, high = metrics["tasks"][objective.task].get(f"{objective.metric}_interval") or (None, None)
        if low is not None and high is not None:
            halves[objective.name] = (high - low) / 2
    return halves


def columns(summary: Summary, objectives: Sequence[Objective]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of a table: the pick first, then the front, then dominated models."""
    tested = summary.hypervolume_test is not None
    headers = ["", *(o.title for o in objectives), *(f"{o.title}, test" for o in objectives if tested), ""]
    order = {standing: rank for rank, standing in enumerate((PICKED, FRONT, DOMINATED))}
    lines = []
    for model in sorted(summary.models, key=lambda model: order[model.standing]):
        values = [*model.validation.values(), *((model.test or {}).values() if tested else ())]
        lines.append([model.name, *(f"{value:.4f}" for value in values), model.standing])
    return headers, lines


def table(summary: Summary, objectives: Sequence[Objective]) -> Table:
    """The table for the terminal, without the test metrics for lack of room."""
    headers, lines = columns(replace(summary, hypervolume_test=None), objectives)
    drawn = Table(title=f"front on {summary.rows:,} validation rows")
    for column, header in enumerate(headers):
        drawn.add_column(header, justify="right" if 0 < column < len(headers) - 1 else "left", overflow="fold")
    styles = {PICKED: "bold green", FRONT: "", DOMINATED: "dim"}
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line), style=styles[line[-1]])
    return drawn
