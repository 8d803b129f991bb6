"""The page's formulas give the numbers of NumPy, in a browser."""

import json
import re

import numpy as np
import pytest

from ranker.expressions import FUNCTIONS, parse
from ranker.fusion import FUSIONS, Candidates, FusionOptions, Plan, build_plan
from tests.training.reports.browser import dom
from training.reports import Page
from training.reports.artifact.javascript import to_javascript
from training.reports.artifact.playground import compiled, held, library, rules

TASKS = {"click": "binary", "like": "binary", "hide": "binary"}
EXTREMES = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1e-30, 0.5, 1.0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
SCORES = np.concatenate([np.random.default_rng(0).random((30, 3)).round(2), EXTREMES])
AGE = np.array([None if i % 7 == 0 else i / 3 for i in range(len(SCORES))], dtype=object)
OPTIONS = {
    "expression": {
        "formula": "click**a * (1 + b*like) * exp(-hide) + where(age > 5, log(click), tanh(like)) + age % 2",
        "parameters": {"a": {"default": 1, "low": 0, "high": 4}, "b": {"default": 2, "low": -2, "high": 9}},
    },
    "learned": {"label": "good", "features": ["age"], "least_rows": 2, "trees": 30, "folds": 2, "leaves": 6},
}
LOG = {"good": np.random.default_rng(1).random(len(SCORES)) < 0.5}
RULES = {
    "young": {"kind": "boost", "where": "age < 3", "multiply": 1.5, "add": -0.25},
    "liked": {"kind": "boost", "where": "like > 0.8", "multiply": 0.5},
    "floor": {"kind": "floor", "least": {"click": 0.2}},
    "gone": {"kind": "floor", "least": {"hide": 0.1}, "below": "drop"},
}
SETS = 12
WITHOUT: set[str] = set()
"""Formulas that reports cannot move."""
MOVED = [name for name in FUSIONS if name not in WITHOUT]


def plan(name: str, parameters=None) -> Plan:
    options = {"name": name, "options": OPTIONS.get(name, {}), "rules": RULES, "parameters": parameters or {}}
    made = build_plan(FusionOptions.model_validate(options), TASKS, ("age",))
    return made.fit(SCORES, SCORES.round(), np.ones(SCORES.shape, dtype=bool), {"age": AGE}, LOG)


def values(made: Plan, seed: int) -> dict:
    """Values anywhere within the bounds, as a config states them."""
    rng = np.random.default_rng(seed)

    def one(parameter):
        value = rng.uniform(max(parameter.low, -9), min(parameter.high, 90))
        return float(np.ceil(value)) if parameter.integer else float(value)

    return {
        p.name: {task: one(p) for task in TASKS} if p.per_objective else one(p) for p in made.fusion.formula.parameters
    }


def printed(script: str, tmp_path) -> object:
    """What a script's last expression is, as JSON."""
    page = Page("x").element('<pre id="out"></pre>').script(library())
    page.script(f"document.getElementById('out').textContent = JSON.stringify({script});")
    return json.loads(re.search(r'<pre id="out">(.*?)</pre>', dom(page.html(), tmp_path), re.DOTALL)[1])


def test_every_formula_and_rule_gives_the_numbers_of_numpy(tmp_path):
    calls, expected = [], []
    for name in MOVED:
        for seed in range(SETS):
            made = plan(name)
            made = made.replaced(values(made, seed))
            candidates = Candidates.of(made.objectives, SCORES, features={"age": AGE})
            calibrated = made.calibrated(candidates)
            prepared = made.prepare(calibrated)
            fused = made.fusion.formula.combine(prepared, made.fusion.arrays)
            ranked = made.finish(calibrated, fused)
            expected.append((name, fused, ranked))
            given = json.dumps({"formula": name, "held": held(made)})
            rows = json.dumps([[None if x != x else x for x in row] for row in prepared.tolist()])
            parameters = json.dumps({key: value.tolist() for key, value in made.fusion.arrays.items()})
            formula = f"({compiled({'it': made})})['it']"
            calls.append(
                f"((f) => {{ f.held.formula = {formula}; const fused = FUSION.fuse(f, {rows}, {parameters});"
                f"return [fused, FUSION.ranked(fused, {json.dumps(rules(made, ranked.picked))})]; }})({given})"
            )
    names, found = printed(f"[Object.keys(FUSION.COMBINE), [{', '.join(calls)}]]", tmp_path)
    assert set(names) == set(MOVED)
    for (name, fused, ranked), (here, after) in zip(expected, found, strict=True):
        np.testing.assert_allclose(here, fused, rtol=1e-9, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(after["scores"], ranked.fused, rtol=1e-9, atol=1e-9, err_msg=name)
        # Candidates within rounding of each other may swap; all others stand where they do in NumPy.
        order = ranked.order()
        np.testing.assert_allclose(ranked.fused[after["order"]], ranked.fused[order], rtol=1e-9, atol=1e-9)
        assert set(after["order"]) == set(order.tolist())


FORMULAS = [
    "a + b * c - a / b % c",
    "-a ** b ** -c + (+a)",
    "a < b <= c",
    "a == b != c > 2",
    "not a and b or c >= 1",
    "a if b else c",
    "where(a > 0, b, c)",
    "coalesce(a, b, 7) + is_null(c)",
    "clip(a, b, c) + min(a, b, c) * max(a, b)",
    *(f"{name}(a)" for name, function in FUNCTIONS.items() if function.least == 1),
    "1e300 * a * 1e300",
    "0.1 + 3",
]


def test_formulas_in_text_treat_nulls_and_infinities_as_numpy_does(tmp_path):
    numbers = [float("nan"), -2.5, -1.0, 0.0, 0.5, 1.0, 3.0]
    grid = np.array(np.meshgrid(numbers, numbers, numbers)).reshape(3, -1)
    shown = [[None if x != x else x for x in row] for row in grid.T.tolist()]
    calls = [
        f"rows.map(([a, b, c]) => String({to_javascript(text)}"
        "({a: a === null ? NaN : a, b: b === null ? NaN : b, c: c === null ? NaN : c})))"
        for text in FORMULAS
    ]
    found = printed(f"((rows) => [{', '.join(calls)}])({json.dumps(shown)})", tmp_path)
    for text, here in zip(FORMULAS, found, strict=True):
        expected = np.broadcast_to(parse(text).evaluate(dict(zip("abc", grid, strict=True))), grid.shape[1])
        got = np.array([float(x.replace("Infinity", "inf")) for x in here])
        np.testing.assert_allclose(got, expected, rtol=1e-9, err_msg=text)


def test_what_has_no_javascript_is_refused():
    with pytest.raises(ValueError, match="compares with text"):
        to_javascript('a + (device == "phone")')
    with pytest.raises(ValueError, match="not a valid formula"):
        to_javascript("a +")
