"""What every fusion formula promises; a new entry of ``FUSIONS`` is tested here without further work."""

import itertools
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ranker.fusion import (
    FUSIONS,
    Candidates,
    Formula,
    Fusion,
    FusionError,
    Invariance,
    Parameter,
    Requests,
    build_fusion,
    order,
)
from ranker.fusion.formula import State

Floats = NDArray[np.float64]

OBJECTIVES = ("click", "like", "hide")
SETS = 7

OPTIONS: dict[str, dict[str, Any]] = {
    "learned": {"label": "good", "least_rows": 5, "trees": 20, "folds": 2},
    "expression": {
        "formula": "click**a * (1 + b*like) - c*log1p(hide)",
        "parameters": {
            "a": {"default": 1.0, "low": 0.0, "high": 4.0, "description": "The power of a click."},
            "b": {"default": 1.0, "low": 0.0, "high": 10.0},
            "c": {"default": 0.5, "low": -2.0, "high": 2.0},
        },
    },
}
"""Options of the formulas that cannot do without."""

LOG = {"good": np.random.default_rng(98).random(300) < 0.5}
"""Columns of the log that formulas are fitted to."""

every_formula = pytest.mark.parametrize("name", list(FUSIONS))
every_directed_formula = pytest.mark.parametrize("name", [name for name in FUSIONS if FUSIONS[name].direction])


def drawn(parameter: Parameter, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Values of a parameter all over its bounds, or over [-3, 3] where they are wider."""
    values = rng.uniform(max(parameter.low, -3.0), min(parameter.high, 3.0), shape)
    if parameter.integer:
        values = rng.integers(int(parameter.low), int(min(parameter.high, 60)), shape).astype(np.float64)
    return values


@cache
def fitted(name: str) -> State | None:
    """The formula's state where it needs one, fitted to a population; it depends on no parameter."""
    population = Candidates.of(OBJECTIVES, scores(np.random.default_rng(99), 300))
    return build_fusion(name, OBJECTIVES, {}, OPTIONS.get(name)).fit(population, LOG).state


def default(name: str, parameters: Any = None) -> Fusion:
    """The formula with its defaults, or with some parameters."""
    return build_fusion(name, OBJECTIVES, parameters or {}, OPTIONS.get(name), fitted(name))


def parameter_sets(formula: Formula, rng: np.random.Generator) -> dict[str, Floats]:
    return {
        parameter.name: drawn(parameter, (SETS, len(OBJECTIVES)) if parameter.per_objective else (SETS,), rng)
        for parameter in formula.parameters
    }


def built(name: str, sets: dict[str, Floats], p: int) -> Fusion:
    """The p-th of the parameter sets as a config would state it."""
    return default(
        name,
        {
            key: dict(zip(OBJECTIVES, values[p].tolist(), strict=True)) if values.ndim == 2 else float(values[p])
            for key, values in sets.items()
        },
    )


def of(request: Floats, requests: Requests | None = None) -> Candidates:
    return Candidates.of(OBJECTIVES, request, requests)


def scores(rng: np.random.Generator, candidates: int = 40) -> Floats:
    """Probabilities [N, T] with ties within and across candidates."""
    return np.round(rng.uniform(0.01, 0.99, (candidates, len(OBJECTIVES))), 2)


@every_formula
def test_defaults_and_direction_are_declared(name: str) -> None:
    formula = default(name).formula
    by_name = {parameter.name: parameter for parameter in formula.parameters}
    assert len(by_name) == len(formula.parameters) > 0
    if formula.direction is not None:
        assert by_name[formula.direction].per_objective
        assert by_name[formula.direction].low < 0 < by_name[formula.direction].default
    for parameter in formula.parameters:
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.description.endswith(".")
    for conditions in formula.invariant_to.values():
        assert set(conditions) <= set(by_name)


@every_formula
def test_parameter_sets_at_once_equal_a_loop_over_sets_and_candidates(name: str) -> None:
    rng = np.random.default_rng(1)
    formula, request = default(name).formula, scores(rng)
    sets = parameter_sets(formula, rng)
    together = formula.fuse(of(request), sets)
    prepared = formula.prepare(of(request))
    assert together.shape == (SETS, len(request))
    assert prepared.shape == request.shape
    swept = np.concatenate([fused for _, fused in formula.sweep(prepared, sets)])
    np.testing.assert_allclose(swept, together, rtol=1e-12, atol=1e-12)
    for p in range(SETS):
        fusion = built(name, sets, p)
        np.testing.assert_allclose(fusion.fuse(request), together[p], rtol=1e-12, atol=1e-12)
        for n in range(len(request)):
            alone = formula.combine(prepared[n : n + 1], fusion.arrays)
            np.testing.assert_allclose(alone, together[p, n : n + 1], rtol=1e-12, atol=1e-12)


@every_formula
def test_ranking_a_log_equals_ranking_each_request(name: str) -> None:
    rng = np.random.default_rng(2)
    formula, log = default(name).formula, scores(rng, 120)
    keys = np.array(["b", "a", "c", "d"])[rng.integers(0, 3, len(log))]
    keys[50] = "d"  # a request of one candidate
    sets = parameter_sets(formula, rng)
    together = formula.fuse(of(log, Requests.of(keys)), sets)
    for key in "abcd":
        alone = formula.fuse(of(log[keys == key]), sets)
        np.testing.assert_allclose(together[:, keys == key], alone, rtol=1e-12, atol=1e-12)


@every_formula
def test_equal_candidates_tie_exactly_in_any_position(name: str) -> None:
    rng = np.random.default_rng(3)
    formula = default(name).formula
    sets = parameter_sets(formula, rng)
    for candidates in range(2, 40):
        request = scores(rng, candidates)
        request[-1] = request[0]
        fused = formula.fuse(of(request), sets)
        np.testing.assert_array_equal(fused[:, 0], fused[:, -1])


@every_directed_formula
def test_objectives_have_their_declared_direction(name: str) -> None:
    rng = np.random.default_rng(4)
    formula, request = default(name).formula, scores(rng)
    for p in range(SETS):
        fusion = built(name, parameter_sets(formula, rng), p)
        for i, objective in enumerate(OBJECTIVES):
            for sign in (1.0, -1.0, 0.0):
                signed = fusion.replaced({formula.direction: {objective: sign}})
                fused = []
                for score in np.linspace(0.0, 1.0, 11):  # 0 and 1 are below and above all other candidates
                    request[7, i] = score
                    fused.append(signed.fuse(request)[7])
                assert (sign * np.diff(fused) >= 0).all()
                assert np.sign(fused[-1] - fused[0]) == sign


CHANGES: dict[Invariance, Callable[[Floats], Floats]] = {
    "increasing_map": lambda p: np.stack([p[:, 0] ** 3, np.log(p[:, 1]), np.exp(4 * p[:, 2])], axis=1),
    "translation": lambda p: p + np.array([0.5, 0.03, 0.2]),
    "scaling": lambda p: p * np.array([20.0, 0.25, 3.0]),
    "common_scaling": lambda p: p * 7.0,
}


@every_formula
@pytest.mark.parametrize("change", list(CHANGES))
def test_the_ranking_has_exactly_the_declared_invariances(name: str, change: Invariance) -> None:
    rng = np.random.default_rng(5)
    formula, request = default(name).formula, scores(rng)
    unchanged = []
    for p in range(SETS):
        fusion = built(name, parameter_sets(formula, rng), p)
        fusion = fusion.replaced(formula.invariant_to.get(change, {}))
        before, after = fusion.fuse(request), fusion.fuse(CHANGES[change](request))
        unchanged.append(np.array_equal(order(before), order(after)))
    assert all(unchanged) == (change in formula.invariant_to)


@every_formula
def test_parameters_declared_not_to_affect_the_order_do_not(name: str) -> None:
    rng = np.random.default_rng(6)
    formula, request = default(name).formula, scores(rng)
    moved = {parameter.name: False for parameter in formula.parameters}
    for p in range(SETS):
        one, other = (built(name, parameter_sets(formula, rng), p) for _ in range(2))
        for parameter in moved:
            changed = one.replaced({parameter: other.values[parameter]})
            moved[parameter] |= not np.array_equal(order(changed.fuse(request)), order(one.fuse(request)))
    assert moved == {parameter.name: parameter.affects_order for parameter in formula.parameters}


@every_formula
def test_scores_are_finite_at_extreme_inputs_and_parameter_bounds(name: str) -> None:
    corners = np.array(list(itertools.product([0.0, 1e-38, 1.0], repeat=len(OBJECTIVES))))
    parameters = default(name).formula.parameters
    assert np.isfinite(default(name).fuse(corners)).all()
    for bounds in itertools.product(*((parameter.low, parameter.high) for parameter in parameters)):
        values = {parameter.name: bound for parameter, bound in zip(parameters, bounds, strict=True)}
        assert np.isfinite(default(name, values).fuse(corners)).all()


@every_formula
def test_a_request_of_one_or_no_candidate(name: str) -> None:
    fusion = default(name)
    assert fusion.fuse(np.empty((0, 3))).shape == (0,)
    assert fusion.fuse([[0.2, 0.3, 0.1]]).shape == (1,)
    assert fusion.fuse(np.array([[0.2, 0.3, 0.1]], dtype=np.float32)).dtype == np.float64


@every_formula
def test_bounds_are_allowed_and_enforced(name: str) -> None:
    for parameter in default(name).formula.parameters:
        for bound, beyond in ((parameter.low, parameter.low - 1), (parameter.high, parameter.high + 1)):
            assert default(name, {parameter.name: bound}).name == name
            for wrong in (beyond, float("nan"), float("inf"), True, "1", None):
                with pytest.raises(FusionError) as caught:
                    default(name, {parameter.name: wrong})
                assert parameter.name in str(caught.value)
                assert f"[{parameter.low:g}, {parameter.high:g}]" in str(caught.value)


@every_formula
def test_round_trip_through_json(name: str) -> None:
    rng = np.random.default_rng(7)
    fusion = built(name, parameter_sets(default(name).formula, rng), 0)
    values, state = (json.loads(json.dumps(part)) for part in (fusion.values, fusion.state))
    assert build_fusion(name, OBJECTIVES, values, OPTIONS.get(name), state) == fusion
    assert set(fusion.values) == {parameter.name for parameter in default(name).formula.parameters}
