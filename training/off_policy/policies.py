"""Policies: fusions that could have ranked the logged requests, and the one that did."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from ranker.config.closed import Closed
from ranker.config.errors import explain
from ranker.fusion import DEFAULT, FUSIONS, Candidates, FusionError, FusionOptions, Plan, Requests
from ranker.fusion.checks import at
from ranker.fusion.exploration import Exploration
from ranker.log_files.errors import DataError
from ranker.registry import alternatives
from training.config.experiment import ConfigError
from training.off_policy.logged import Floats, Indices, Logged, Orders


class PolicyOptions(Closed):
    """A policy, as on the command line: a fusion, with what is changed of it."""

    name: str | None = Field(None, description="Name on the page; by default the fusion's, with what is changed.")
    artifact: Path | None = Field(
        None, description="Another artifact, whose model scores the logged features; default: the logged scores."
    )
    fusion: str = Field(DEFAULT, description="A fusion of the artifact, or a formula that needs only parameters.")
    parameters: dict[str, float | dict[str, float]] = Field(
        default_factory=dict, description="Parameters to replace, as in a request."
    )
    rerank: bool | dict[str, Any] = Field(True, description="Re-ranking, as in a request.")
    explore: bool | dict[str, Any] = Field(
        True, description="Exploration: false for none, parameters to replace, or with `kind` another one."
    )

    @property
    def title(self) -> str:
        """Name on the page."""
        if self.name is not None:
            return self.name
        changed = self.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
        words = [self.fusion, *(f"{key}: {value}" for key, value in changed.items() if key != "fusion")]
        return ", ".join(words)


def policy_of(option: str, text: str | Mapping[str, Any]) -> PolicyOptions:
    """Read a fusion's name, or an object, also as YAML. Raises ``ConfigError``, which begins with ``option``."""
    try:
        given: Any = text
        if isinstance(text, str):
            given = yaml.safe_load(text) if text.lstrip().startswith("{") else {"fusion": text.strip()}
        return PolicyOptions.model_validate(given)
    except yaml.YAMLError:
        raise ConfigError(
            f"{option} {text!r}: is not valid YAML; write a fusion's name, or {{fusion: NAME, parameters: {{...}}}}"
        ) from None
    except ValidationError as error:
        raise ConfigError(f"{option} {text!r}: {'; '.join(explain(error, PolicyOptions, None))}") from None


def plan_of(option: str, asked: PolicyOptions, fusions: Mapping[str, Plan]) -> Plan:
    """The fusion of a policy, of an artifact's. Raises ``ConfigError``, which begins with ``option``."""
    try:
        with at("fusion"):
            plan = _named(asked.fusion, fusions)
        with at("parameters"):
            plan = plan.replaced(asked.parameters)
        with at("rerank"):
            plan = plan.with_rerank(asked.rerank)
        with at("explore"):
            return _exploring(plan, asked.explore)
    except FusionError as error:
        raise ConfigError(f"{option}: {error}") from None


def logged_plan(name: str, facts: Mapping[str, Any], fusions: Mapping[str, Plan]) -> Plan:
    """The fusion that a log tells, by its name and its numbers. Raises ``FusionError`` if there is no such fusion."""
    plan = _named(name, fusions).replaced(facts.get("parameters", {}))
    logged = facts.get("rerank") or {}
    steps: dict[str, Any] = {}
    for step, options in plan.options.rerank.items():
        names = [parameter.name for parameter in options.parameters]
        numbers = {key: value for key, value in logged.get(step, {}).items() if key in names}
        steps[step] = numbers if step in logged else False
    plan = plan.with_rerank(steps)
    return _with(plan, logged_exploration(facts))


def logged_exploration(facts: Mapping[str, Any]) -> Exploration:
    """The exploration that a log tells. Raises ``FusionError`` if this version does not know it."""
    if facts.get("explore") is None:
        raise FusionError("the log tells places before exploration, but not how it explored")
    return _exploration(facts["explore"])


def orders_of(name: str, plan: Plan, logged: Logged, scores: Floats, ties: Indices) -> Orders:
    """How a fusion ranks the logged candidates by raw scores [N, T]; candidates with lower ``ties`` [N] win ties.

    Raises ``DataError`` if it reads a feature that is not logged, or drops so many candidates that lists are shorter.
    """
    for feature in plan.features:
        if feature not in logged.features:
            raise DataError(
                f"policy {name!r}: reads the feature {feature!r}, which is not logged; add its column to the service's "
                "exposures_features"
            )
    codes = logged.codes
    features = {feature: logged.features[feature] for feature in plan.features}
    try:
        ranked = plan.rank(Candidates.of(plan.objectives, scores, Requests(codes, len(logged)), features))
        keys = ranked.sort_keys()
    except FusionError as error:
        raise DataError(f"policy {name!r}: {error}") from None
    base = np.empty(len(codes), dtype=np.intp)
    base[np.lexsort((ties, -keys, codes))] = logged.place
    kept = np.bincount(codes, ~ranked.dropped, len(logged))
    if (kept < logged.shown).any():
        raise DataError(
            f"policy {name!r}: a rule drops candidates, so that {int((kept < logged.shown).sum()):,} lists would be "
            "shorter than those shown; let the rule rank them last"
        )
    tiers = ranked.tiers
    first = np.full(len(logged), tiers.max(initial=0))
    np.minimum.at(first, codes, tiers)
    free = np.bincount(codes, tiers == first[codes], len(logged)).astype(np.intp)
    return Orders(base, ranked.fused, free, (plan.options.explore,), np.zeros(len(logged), dtype=np.intp))


def _named(name: str, fusions: Mapping[str, Plan]) -> Plan:
    """A fusion of the artifact, or the default one with another formula, as in a request."""
    if name in fusions:
        return fusions[name]
    if name in FUSIONS and FUSIONS[name].stands_alone():
        return fusions[DEFAULT].with_formula(name, {})
    raise FusionError(f"the artifact has no fusion {name!r}{alternatives(name, [*fusions, *FUSIONS])}")


def _exploring(plan: Plan, given: bool | Mapping[str, Any]) -> Plan:
    if given is True:
        return plan
    return _with(plan, _exploration(given)) if given and "kind" in given else plan.with_explore(given)


def _with(plan: Plan, exploration: Exploration | None) -> Plan:
    return replace(plan, options=plan.options.model_copy(update={"explore": exploration}))


def _exploration(given: Any) -> Exploration:
    try:
        found = FusionOptions.model_validate({"explore": given}).explore
    except ValidationError as error:
        raise FusionError("; ".join(explain(error, FusionOptions, None))) from None
    assert found is not None, "it is given"
    return found
