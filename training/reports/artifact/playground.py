"""The interactive part of a report: its scripts and their data."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from ranker.fusion import Plan, TextFormula
from ranker.fusion.rules import Boost, Rule
from ranker.schema import Schema
from training.export.report_data import ReportData
from training.reports import Page
from training.reports.artifact.javascript import to_javascript

ELEMENT = "live-fusion"


def add_playground(page: Page, schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> None:
    """Add sliders for every fusion's parameters, and example requests ranked by them in the browser."""
    page.element(f'<div id="{ELEMENT}"></div>')
    page.script(library())
    # "</" would end the script element.
    content = json.dumps(script_data(schema, plans, data)).replace("</", "<\\/")
    page.script(f"liveFusion(document.getElementById('{ELEMENT}'), {content}, {compiled(plans)});")


def library() -> str:
    """The scripts that compute and draw a fusion."""
    return "\n".join(
        files("training.reports.artifact").joinpath(name).read_text("utf-8") for name in ("fusion.js", "sliders.js")
    )


def compiled(plans: Mapping[str, Plan]) -> str:
    """JavaScript of the text formulas, by fusion name."""
    formulas = {
        name: plan.fusion.formula.options.formula
        for name, plan in plans.items()
        if isinstance(plan.fusion.formula, TextFormula)
    }
    return "{" + ", ".join(f"{json.dumps(name)}: {to_javascript(text)}" for name, text in formulas.items()) + "}"


def script_data(schema: Schema, plans: Mapping[str, Plan], data: ReportData) -> dict[str, Any]:
    """Objectives, fusions with their parameters, and requests with everything that does not depend on parameters."""
    return {
        "objectives": list(schema.tasks),
        "fusions": [_fusion(name, plan) for name, plan in plans.items()],
        "requests": [_request(schema, plans, data, number) for number in range(len(data.shown))],
    }


def held(plan: Plan) -> dict[str, Any]:
    """Fixed data that a formula reads besides its parameters and the candidates."""
    columns = [*plan.objectives, *plan.fusion.formula.features]
    state = plan.fusion.state or {}
    return {"columns": columns, "state": {part: state[part] for part in ("linear", "trees") if part in state}}


def rules(plan: Plan, picked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rules for the script, with the candidates that each one picks."""
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


def _request(schema: Schema, plans: Mapping[str, Plan], data: ReportData, number: int) -> dict[str, Any]:
    rows = data.shown[number]
    first = sum(len(request) for request in data.shown[:number])
    columns = {name: values[first : first + len(rows)] for name, values in data.columns.items()}
    context = [f"{name} {_plain(columns[name][0])}" for name in schema.context if name in columns]
    named = schema.candidate_id
    labels = np.where(data.rows.known[rows], data.rows.labels[rows].astype(np.float64), np.nan)
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
        "fusions": {name: _request_of_fusion(plan, data, rows) for name, plan in plans.items()},
    }


def _request_of_fusion(plan: Plan, data: ReportData, rows: list[int]) -> dict[str, Any]:
    """One request's data for one fusion."""
    calibrated = plan.calibrated(data.candidates(plan, rows))
    prepared = plan.prepare(calibrated)
    fused = plan.fusion.formula.combine(prepared, plan.fusion.arrays)
    ranked = plan.finish(calibrated, fused)
    return {
        # JSON has no NaN, which marks a missing feature.
        "prepared": [[None if x != x else x for x in row] for row in prepared.tolist()],
        "scores": calibrated.scores.tolist(),
        "fused": fused.tolist(),
        "rules": rules(plan, ranked.picked),
    }


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
