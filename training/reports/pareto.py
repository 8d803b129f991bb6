"""The report of a Pareto front."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import yaml

from training.config.experiment import Experiment
from training.evaluation.pareto_front import non_dominated
from training.reports import Page, front, parallel
from training.sweeps.pareto.objectives import Objective
from training.sweeps.pareto.request import Choice
from training.sweeps.pareto.summary import FRONT, PICKED, Model, Summary, columns

_WHY = {
    "least_misery": "its worst objective is better than any other model's worst (least misery)",
    "knee": "it lies farthest beyond the hyperplane through the best model of each objective (knee)",
    "preference": "it has the highest mean over the objectives, weighted by {preference} (preference)",
}


def to_html(base: Experiment, choice: Choice, summary: Summary) -> str:
    """Hypervolumes, pairwise fronts, parallel coordinates and a table of all models, as a self-contained page."""
    page = Page("Pareto front")
    models, objectives = summary.models, choice.objectives
    on_front = sum(model.standing in (PICKED, FRONT) for model in models)
    page.text(
        f"{len(models)} trained models, {on_front} on the front: no other model is at least as good in all of "
        f"{', '.join(o.title for o in objectives)} and better in one."
    )
    preference = ", ".join(f"{name} {value:g}" for name, value in summary.preference.items())
    page.text(f"Picked: {models[summary.picked].name}, as {_WHY[summary.rule].format(preference=preference)}.")
    page.text(
        "The rule compares objectives scaled from 0 (worst on the front) to 1 (best)." + _noise(summary, objectives)
    )
    epochs = " that also selected each model's best epoch" if base.early_stopping is not None else ""
    optimistic = (
        f"The front and the picked model were selected on the {summary.rows:,} validation rows{epochs}, so their "
        "validation metrics are slightly optimistic."
    )
    tested = summary.hypervolume_test is not None
    page.note(optimistic + (" Test rows were not used for selection." if tested else " --test measures on other rows."))
    for error in summary.errors:
        page.note(error)
    page.heading("Hypervolume").text(
        "Volume that the models dominate above the reference point, a baseline that predicts every task's mean label: "
        + ", ".join(f"{o.title} {summary.reference[o.name]:.4g}" for o in objectives)
        + ". In the product of the objectives' units; larger is better. "
        "Test rows have their own reference point; compare volumes only on the same rows."
    )
    headers = ["front of", "validation rows", *(["test rows"] if tested else [])]
    page.table(headers, [_volume_line(name, summary) for name in summary.hypervolume])
    if not summary.hypervolume["all"]:
        page.note("The volume is 0: no model is above the reference point in every objective at once.")
    page.heading("Each pair of objectives").text(
        "Up and to the right is better. Grey models are dominated over all objectives. Lines join the models that are "
        "non-dominated in the two objectives shown."
    )
    names = list(dict.fromkeys(model.method for model in models))
    page.legend(names)
    for x, y in combinations(objectives, 2):
        lower = [o.title for o in (x, y) if o.sign < 0]
        page.chart(front(pair_records(models, x, y), x.title, y.title, "setting", "method", lower, names))
    page.heading("All objectives").text("One line per model; 0 is the worst of all models, 1 the best.")
    page.chart(parallel(_lines(models, objectives), axis="objective", value="better", label="setting"))
    page.heading("Models")
    headers, lines = columns(summary, objectives)
    page.table(headers, lines)
    page.heading("Config").text("The base config; its weighting is varied:")
    page.code(yaml.safe_dump(base.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=False))
    return page.html()


def pair_records(models: Sequence[Model], x: Objective, y: Objective) -> list[dict[str, Any]]:
    """One record per model for a chart of two objectives, with its step on its method's front line if it is on it."""
    records: list[dict[str, Any]] = [
        {
            "setting": model.name,
            "method": model.method,
            "standing": model.standing,
            x.title: model.validation[x.name],
            y.title: model.validation[y.name],
            "step": None,
        }
        for model in models
    ]
    for method in dict.fromkeys(model.method for model in models):
        members = [i for i, model in enumerate(models) if model.method == method]
        gains = np.array([[o.sign * models[i].validation[o.name] for o in (x, y)] for i in members])
        best = [(gains[row, 0], i) for row, i in enumerate(members) if non_dominated(gains)[row]]
        for step, (_, i) in enumerate(sorted(best)):
            records[i]["step"] = step
    return records


def _lines(models: Sequence[Model], objectives: Sequence[Objective]) -> list[dict[str, Any]]:
    return [
        {"setting": m.name, "standing": m.standing, "objective": o.title, "better": m.normalised[o.name]}
        for m in models
        for o in objectives
    ]


def _volume_line(name: str, summary: Summary) -> list[str]:
    test: Mapping[str, float] = summary.hypervolume_test or {}
    shown = "all models" if name == "all" else name
    return [shown, f"{summary.hypervolume[name]:.6g}", *([f"{test[name]:.6g}"] if test else [])]


def _noise(summary: Summary, objectives: Sequence[Objective]) -> str:
    intervals = summary.models[summary.picked].intervals
    shown = ", ".join(f"{o.title} ±{intervals[o.name]:.2g}" for o in objectives if o.name in intervals)
    return f" Differences below the picked model's 95 % intervals may be noise: {shown}." if shown else ""
