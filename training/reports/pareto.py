"""The page of a front."""

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
    "knee": "it lies farthest beyond the hyperplane through the best models of each objective (knee)",
    "preference": "its mean over the objectives, weighted by {preference}, is the greatest (preference)",
}


def to_html(base: Experiment, choice: Choice, summary: Summary) -> str:
    """Every pair of objectives, the trade-off as a whole, hypervolumes and all models, as one self-contained page."""
    page = Page("Pareto front")
    models, objectives = summary.models, choice.objectives
    kept = sum(model.standing in (PICKED, FRONT) for model in models)
    page.text(
        f"{len(models)} trainings, {kept} of them on the front: no other is at least as good in all of "
        f"{', '.join(o.title for o in objectives)} and better in one."
    )
    preference = ", ".join(f"{name} {value:g}" for name, value in summary.preference.items())
    page.text(f"Picked: {models[summary.picked].name}, as {_WHY[summary.rule].format(preference=preference)}.")
    page.text(
        "The rule compares objectives on a scale from 0, the worst on the front, to 1, the best."
        + _noise(summary, objectives)
    )
    epochs = " that also chose each training's best epoch" if base.early_stopping is not None else ""
    optimistic = (
        f"The front was found, and the model picked, on the {summary.rows:,} validation rows{epochs}, so what they "
        "show of the best models is a little too good."
    )
    tested = summary.hypervolume_test is not None
    page.note(optimistic + (" Test rows chose nothing." if tested else " --test measures on rows that chose nothing."))
    for error in summary.errors:
        page.note(error)
    page.heading("Hypervolume").text(
        "What the models dominate above the point of a model that gives every row its task's mean: "
        + ", ".join(f"{o.title} {summary.reference[o.name]:.4g}" for o in objectives)
        + ". In the product of the objectives' units; larger is better. "
        "Test rows have a point of their own; compare volumes of the same rows only."
    )
    heads = ["front of", "validation rows", *(["test rows"] if tested else [])]
    page.table(heads, [_volume_line(name, summary) for name in summary.hypervolume])
    if not summary.hypervolume["all"]:
        page.note("The volume is 0: no model is above that point in every objective at once.")
    page.heading("Each pair of objectives").text(
        "Up and to the right is better. Grey models are dominated; one that seems so in one picture is better in "
        "another. Lines join what is best of these two objectives alone."
    )
    names = list(dict.fromkeys(model.method for model in models))
    page.legend(names)
    for x, y in combinations(objectives, 2):
        lower = [o.title for o in (x, y) if o.sign < 0]
        page.chart(front(pair_records(models, x, y), x.title, y.title, "setting", "method", lower, names))
    page.heading("The trade-off as a whole").text("A line a model; 0 is the worst of all models, 1 the best.")
    page.chart(parallel(_lines(models, objectives), axis="objective", value="better", label="setting"))
    page.heading("Models")
    heads, lines = columns(summary, objectives)
    page.table(heads, lines)
    page.heading("Config").text("What is varied is its weighting:")
    page.code(yaml.safe_dump(base.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=False))
    return page.html()


def pair_records(models: Sequence[Model], x: Objective, y: Objective) -> list[dict[str, Any]]:
    """One record a model for a picture of two objectives, with its place on its method's line if it is on it."""
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
        mine = [i for i, model in enumerate(models) if model.method == method]
        gains = np.array([[o.sign * models[i].validation[o.name] for o in (x, y)] for i in mine])
        best = [(gains[place, 0], i) for place, i in enumerate(mine) if non_dominated(gains)[place]]
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
    return f" Differences below these 95% intervals of the picked model may be chance: {shown}." if shown else ""
