"""The part of a report that moves: what the page's scripts are given, and the scripts."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from ranker.fusion import Plan, TextFormula
from ranker.fusion.rules import Boost, Rule
from ranker.schema import Schema
from training.export.report_data import Kept
from training.reports import Page
from training.reports.artifact.javascript import to_javascript

PLACE = "live-fusion"


def add_live(page: Page, schema: Schema, plans: Mapping[str, Plan], kept: Kept) -> None:
    """Add sliders over every fusion's parameters, and the example requests ranked by them in the page."""
    page.element(f'<div id="{PLACE}"></div>')
    page.script(library())
    # In a script element "</" would end it wherever it stands.
    data = json.dumps(given(schema, plans, kept)).replace("</", "<\\/")
    page.script(f"liveFusion(document.getElementById('{PLACE}'), {data}, {compiled(plans)});")


def library() -> str:
    """The scripts that compute a fusion and draw it."""
    return "\n".join(
        files("training.reports.artifact").joinpath(name).read_text("utf-8") for name in ("fusion.js", "sliders.js")
    )


def compiled(plans: Mapping[str, Plan]) -> str:
    """JavaScript of the formulas in text, by the name of the fusion."""
    formulas = {
        name: plan.fusion.formula.options.formula
        for name, plan in plans.items()
        if isinstance(plan.fusion.formula, TextFormula)
    }
    return "{" + ", ".join(f"{json.dumps(name)}: {to_javascript(text)}" for name, text in formulas.items()) + "}"


def given(schema: Schema, plans: Mapping[str, Plan], kept: Kept) -> dict[str, Any]:
    """Objectives, fusions with their parameters, and requests with all that does not depend on parameters."""
    return {
        "objectives": list(schema.tasks),
        "fusions": [_fusion(name, plan) for name, plan in plans.items()],
        "requests": [_request(schema, plans, kept, number) for number in range(len(kept.shown))],
    }


def held(plan: Plan) -> dict[str, Any]:
    """What a formula reads beside its parameters and the candidates."""
    columns = [*plan.objectives, *plan.fusion.formula.features]
    state = plan.fusion.state or {}
    return {"columns": columns, "state": {part: state[part] for part in ("linear", "trees") if part in state}}


def rules(plan: Plan, picked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rules as the page applies them, with the candidates that each picks."""
    return [{"picks": picked[name].tolist(), **_moves(rule)} for name, rule in plan.options.rules.items()]


def _moves(rule: Rule) -> dict[str, Any]:
    multiply, add = (rule.multiply, rule.add) if isinstance(rule, Boost) else (1.0, 0.0)
    return {"multiply": multiply, "add": add, "last": rule.sends_last, "drops": rule.drops}


def _fusion(name: str, plan: Plan) -> dict[str, Any]:
    parameters = [
        {
            "name": parameter.name,
            "low": parameter.low,
            "high": parameter.high,
            "integer": parameter.integer,
            "per_objective": parameter.per_objective,
            "description": parameter.description,
            "value": plan.fusion.arrays[parameter.name].tolist(),
        }
        for parameter in plan.fusion.formula.parameters
    ]
    return {"name": name, "formula": plan.fusion.name, "parameters": parameters, "held": held(plan)}


def _request(schema: Schema, plans: Mapping[str, Plan], kept: Kept, number: int) -> dict[str, Any]:
    rows = kept.shown[number]
    first = sum(len(request) for request in kept.shown[:number])
    columns = {name: values[first : first + len(rows)] for name, values in kept.columns.items()}
    context = [f"{name} {_plain(columns[name][0])}" for name in schema.context if name in columns]
    named = schema.candidate_id
    labels = np.where(kept.rows.known[rows], kept.rows.labels[rows].astype(np.float64), np.nan)
    return {
        "title": f"{number + 1}: {', '.join(context[:4]) or f'{len(rows)} candidates'}",
        "id_name": named or "candidate",
        "ids": [_plain(value) for value in columns[named]] if named else [str(i) for i in range(len(rows))],
        "labels": [[None if label != label else label for label in row] for row in labels.tolist()],
        "facts": {
            name: [_plain(value) for value in columns[name]]
            for name in schema.candidate
            if name in columns and name != named
        },
        "fusions": {name: _seen(plan, kept, rows) for name, plan in plans.items()},
    }


def _seen(plan: Plan, kept: Kept, rows: list[int]) -> dict[str, Any]:
    """One request as one fusion sees it."""
    calibrated = plan.calibrated(kept.candidates(plan, rows))
    prepared = plan.prepare(calibrated)
    fused = plan.fusion.formula.combine(prepared, plan.fusion.arrays)
    ranked = plan.finish(calibrated, fused)
    return {
        # JSON has no NaN, which stands for a missing feature.
        "prepared": [[None if x != x else x for x in row] for row in prepared.tolist()],
        "scores": calibrated.scores.tolist(),
        "fused": fused.tolist(),
        "rules": rules(plan, ranked.picked),
    }


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
