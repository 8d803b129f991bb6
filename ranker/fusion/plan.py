"""A complete fusion as served: calibration, normalisation within the request, formula, rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.build import Fusion, Given, build_fusion
from ranker.fusion.calibration import CALIBRATIONS, Fitted, fit
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import at, find, require_known
from ranker.fusion.formula import FUSIONS
from ranker.fusion.normalisation import NORMALISATIONS, NormalisationName
from ranker.fusion.options import FusionOptions, FusionState, StoredFusion
from ranker.fusion.order import order
from ranker.fusion.rules import Mask
from ranker.tasks import TASK_KINDS

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Result of ranking N candidates.

    Attributes
    ----------
    scores
        Calibrated scores [N, T].
    fused
        Fused scores [N] after rules.
    last, dropped
        Masks of candidates [N] that a floor ranks last or drops.
    picked
        By rule, mask of candidates [N] it applied to.
    behind
        Mask of candidates [N] that rank after the others; those that a floor ranks last still come after them.
    """

    scores: Floats
    fused: Floats
    last: Mask
    dropped: Mask
    picked: Mapping[str, Mask]
    behind: Mask | None = None

    def taken(self, rows: Indices) -> "Ranked":
        """The candidates at some rows, such as those of one request."""
        return Ranked(
            scores=self.scores[rows],
            fused=self.fused[rows],
            last=self.last[rows],
            dropped=self.dropped[rows],
            picked={rule: mask[rows] for rule, mask in self.picked.items()},
            behind=None if self.behind is None else self.behind[rows],
        )

    def sort_keys(self) -> Floats:
        """Numbers [N] that order the candidates of each request as its ranking does, higher first; ties are equal.

        Candidates that a floor drops come last, as they are not ranked at all. Raises ``FusionError`` for NaN.
        """
        if np.isnan(self.fused).any():
            raise FusionError(
                f"the fused score is not a number for candidate {np.flatnonzero(np.isnan(self.fused))[0]}"
            )
        values, places = np.unique(self.fused, return_inverse=True)
        tiers = 4 * self.dropped + 2 * self.last + (0 if self.behind is None else self.behind)
        return places.astype(np.float64) - tiers * len(values)

    def order(self, k: int | None = None) -> Indices:
        """Indices of the ``k`` best candidates of one request, best first; ``None`` ranks all that are not dropped."""
        if self.behind is None and not (self.last.any() or self.dropped.any()):
            return order(self.fused, k)
        tiers = 2 * self.last + (0 if self.behind is None else self.behind)
        groups = [np.flatnonzero(~self.dropped & (tiers == tier)) for tier in range(4)]
        return np.concatenate([rows[order(self.fused[rows])] for rows in groups])[:k]


@dataclass(frozen=True)
class Plan:
    """All steps from scores to a ranking; created and checked by ``build_plan``, fitted to a log by ``fit``.

    Attributes
    ----------
    options
        The config.
    fusion
        The formula and its parameters, for T objectives.
    calibration
        Fitted calibrations by objective; ``None`` before ``fit``.
    """

    options: FusionOptions
    fusion: Fusion
    calibration: Mapping[str, Fitted] | None

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the T objectives in column order."""
        return self.fusion.objectives

    @property
    def features(self) -> tuple[str, ...]:
        """Features read by the formula and the rules."""
        read = [*self.fusion.formula.features]
        for rule in self.options.rules.values():
            read += [name for name in rule.names if name not in self.objectives]
        return tuple(dict.fromkeys(read))

    def fit(
        self,
        scores: NDArray[np.floating],
        labels: NDArray[np.floating],
        known: Mask,
        features: Mapping[str, NDArray[Any]] | None = None,
        log: Mapping[str, NDArray[Any]] | None = None,
    ) -> "Plan":
        """Fit calibration and formula to M rows of a log: scores, labels and whether each is known [M, T].

        A fitted formula also gets its features and log columns, [M] each. Raises ``FusionError`` if fitting fails.
        """
        fitted = {}
        for objective, method in self.options.calibration.items():
            i = self.objectives.index(objective)
            rows = known[:, i]
            fitted[objective] = fit(method, scores[rows, i].astype(np.float64), labels[rows, i].astype(np.float64))
        plan = replace(self, calibration=fitted)
        candidates = Candidates.of(self.objectives, scores, features=features)
        return replace(plan, fusion=plan.fusion.fit(plan.calibrated(candidates), log))

    def calibrated(self, candidates: Candidates) -> Candidates:
        """Return the candidates with calibrated scores."""
        scores = candidates.scores.copy()
        for i, objective in enumerate(self.objectives):
            if objective in self.options.calibration:
                scores[:, i] = self._curves[objective](scores[:, i])
        return replace(candidates, scores=scores)

    def prepare(self, calibrated: Candidates) -> Floats:
        """Input of the formula's ``combine`` and ``sweep`` for calibrated candidates, after all per-request steps."""
        self.fusion.require_fitted()
        scores = calibrated.scores.copy()
        for i, name in enumerate(_words(self.options.normalisation, self.objectives)):
            scores[:, i] = NORMALISATIONS[name](scores[:, i], calibrated.requests)
        return self.fusion.formula.prepare(replace(calibrated, scores=scores))

    def finish(self, calibrated: Candidates, fused: Floats) -> Ranked:
        """Apply the rules to fused scores [N]."""
        last, dropped = np.zeros(len(fused), dtype=bool), np.zeros(len(fused), dtype=bool)
        picked = {}
        for name, rule in self.options.rules.items():
            picked[name] = rule.picks(self.objectives, calibrated)
            fused = np.where(picked[name], rule.moved(fused), fused)
            last |= picked[name] & rule.sends_last
            dropped |= picked[name] & rule.drops
        return Ranked(calibrated.scores, fused, last, dropped, picked, calibrated.behind)

    def rank(self, candidates: Candidates) -> Ranked:
        """Run all steps on candidates with the model's scores. Raises ``FusionError`` if a step is not fitted."""
        calibrated = self.calibrated(candidates)
        fused = self.fusion.formula.combine(self.prepare(calibrated), self.fusion.arrays)
        return self.finish(calibrated, fused)

    def replaced(self, parameters: Given) -> "Plan":
        """Return this plan with some of its formula's parameters replaced. Raises ``FusionError``."""
        return replace(self, fusion=self.fusion.replaced(parameters))

    def with_formula(self, name: str, parameters: Given) -> "Plan":
        """Return this plan with another formula and the same calibration, normalisation and rules.

        Raises ``FusionError`` also for a formula that needs options or a reference population.
        """
        fusion = build_fusion(name, self.objectives, parameters)
        fusion.require_fitted()
        return replace(self, options=self.options.model_copy(update={"name": name, "options": {}}), fusion=fusion)

    def stored(self) -> StoredFusion:
        """Return the stored form, from which ``build_plan`` rebuilds an equal plan."""
        # Validated again: pydantic warns about an int in a float field unless it converted the value itself.
        options = FusionOptions.model_validate({**dict(self.options), "parameters": self.fusion.values})
        formula = None if self.fusion.state is None else dict(self.fusion.state)
        state = FusionState(calibration=dict(self.calibration or {}), formula=formula)
        return StoredFusion(options=options, state=state)

    @cached_property
    def _curves(self) -> dict[str, Callable[[Floats], Floats]]:
        calibration = self.calibration or {}
        for objective in self.options.calibration:
            if objective not in calibration:
                raise FusionError(f"the calibration of {objective!r} is not fitted; `fit` and export do it")
        return {objective: fitted.curve() for objective, fitted in calibration.items()}


def build_plan(
    options: FusionOptions,
    objectives: Mapping[str, str],
    features: tuple[str, ...] = (),
    state: FusionState | None = None,
) -> Plan:
    """Build a plan from a config, for T objectives with their task kinds.

    ``features`` are those it may read.

    Raises ``FusionError`` for an invalid config; the message begins with the path.
    """
    names = tuple(objectives)
    with at("name"):
        find(FUSIONS, options.name)
    fusion = build_fusion(options.name, names, {}, options.options, state.formula if state else None)
    with at("options"):
        for feature in fusion.formula.features:
            require_known(feature, features, f"{feature!r} is not an objective, parameter or feature of one value")
    with at("parameters"):
        fusion = fusion.replaced(options.parameters)
    for objective, method in options.calibration.items():
        with at(f"calibration.{objective}"):
            require_known(objective, names, f"{objective!r} is not an objective")
            traits = TASK_KINDS[objectives[objective]].traits
            if not find(CALIBRATIONS, method).needs <= traits:
                fitting = ", ".join(name for name, other in CALIBRATIONS.items() if other.needs <= traits)
                raise FusionError(f"{method} does not apply to a {objectives[objective]} task (available: {fitting})")
    with at("normalisation"):
        for objective in () if isinstance(options.normalisation, str) else options.normalisation:
            require_known(objective, names, f"{objective!r} is not an objective")
        if fusion.formula.fitted and any(word != "none" for word in _words(options.normalisation, names)):
            raise FusionError(
                f"fusion {options.name!r} compares scores across requests, so they must not be normalised within one"
            )
    for name, rule in options.rules.items():
        with at(f"rules.{name}"):
            rule.check(names, features)
    return Plan(options, fusion, state.calibration if state else None)


def _words(
    normalisation: NormalisationName | Mapping[str, NormalisationName], objectives: tuple[str, ...]
) -> list[str]:
    """Normalisation method of each objective."""
    if isinstance(normalisation, str):
        return [normalisation] * len(objectives)
    return [normalisation.get(objective, "none") for objective in objectives]
