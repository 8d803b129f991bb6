"""A complete fusion as served: calibration, normalisation within the request, formula, rules, re-ranking, exploration.

Exploration runs only with a seed, which a service has for each request: evaluation, searches and predictions rank
without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.kinds.base import Comparable
from ranker.fusion.base import Floats, FusionError
from ranker.fusion.build import Fusion, Given, build_fusion
from ranker.fusion.calibration import CALIBRATIONS, Fitted, fit
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import at, find, require_known
from ranker.fusion.explored import explored
from ranker.fusion.formula import FUSIONS
from ranker.fusion.normalisation import NORMALISATIONS, NormalisationName
from ranker.fusion.options import FusionOptions, FusionState, StoredFusion
from ranker.fusion.ranked import Ranked, requests
from ranker.fusion.reranking import PLACES, Cost, Readable, Request, cost, rerank
from ranker.fusion.rules import Mask
from ranker.tasks import TASK_KINDS

Indices = NDArray[np.intp]


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
    readable
        The features that re-ranking may read.
    """

    options: FusionOptions
    fusion: Fusion
    calibration: Mapping[str, Fitted] | None
    readable: Readable = field(default_factory=Readable)

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the T objectives in column order."""
        return self.fusion.objectives

    @property
    def features(self) -> tuple[str, ...]:
        """Features read by the formula, the rules and re-ranking."""
        read = [*self.fusion.formula.features]
        for rule in self.options.rules.values():
            read += rule.names
        for step in self.options.rerank.values():
            read += step.reads(self.readable)
        return tuple(name for name in dict.fromkeys(read) if name not in self.objectives)

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

    def rank(self, candidates: Candidates, seed: str | None = None) -> Ranked:
        """Run all steps on candidates with the model's scores; without a ``seed``, all but exploration.

        Raises ``FusionError`` if a step is not fitted, and for a seed with several requests, which it would draw alike.
        """
        calibrated = self.calibrated(candidates)
        fused = self.fusion.formula.combine(self.prepare(calibrated), self.fusion.arrays)
        ranked = self.reranked(calibrated, self.finish(calibrated, fused))
        if seed is None or self.options.explore is None:
            return ranked
        if candidates.requests.count != 1:
            raise FusionError(f"a seed draws the order of a single request, got {candidates.requests.count}")
        return explored(self.options.explore, ranked, seed)

    def reranked(self, calibrated: Candidates, ranked: Ranked) -> Ranked:
        """Re-rank the result of ``finish``, each request by itself."""
        steps = self.options.rerank
        if not steps or not len(ranked.fused):
            return ranked
        front, replaced = np.zeros(len(ranked.fused), dtype=np.intp), ranked.fused.copy()
        for request in requests(self.readable, calibrated, ranked):
            moved = rerank(steps, request).order
            changed = np.flatnonzero(moved != np.arange(len(moved)))
            last = int(changed[-1]) + 1 if len(changed) else 0
            front[request.rows[moved[:last]]] = np.arange(1, last + 1)
            replaced[request.rows[moved[:last]]] = request.fused[:last]
        return replace(ranked, front=front, replaced=replaced)

    def explained_reranking(
        self, candidates: Candidates, ranked: Ranked, places: int = PLACES
    ) -> tuple[Mapping[str, Indices], Cost] | None:
        """How far each step moved the candidates of one request [N], and what re-ranking cost; ``None`` without steps.

        ``ranked`` is the result of ``rank``; the cost is that in the first ``places`` places.
        """
        steps = self.options.rerank
        if not steps:
            return None
        moves = {name: np.zeros(len(ranked.fused), dtype=np.intp) for name in steps}
        calibrated = self.calibrated(candidates)
        request = next(iter(requests(self.readable, calibrated, ranked)), None)
        if request is None:
            request = Request(self.readable, calibrated, np.zeros(0, dtype=np.intp), np.zeros(0))
        found = rerank(steps, request, explained=True)
        for name, moved in found.moves.items():
            moves[name][request.rows] = moved
        return moves, cost(steps, request, found, places)

    @property
    def without_reranking(self) -> "Plan":
        """The plan without its re-ranking steps."""
        return replace(self, options=self.options.model_copy(update={"rerank": {}})) if self.options.rerank else self

    def with_rerank(self, given: bool | Mapping[str, Any]) -> "Plan":
        """Return this plan with steps switched off or with other parameters: by step, a boolean or its parameters.

        ``False`` switches off all of them. Raises ``FusionError``, beginning with the path.
        """
        if given is False:
            return self.without_reranking
        if given is True:
            return self
        if not isinstance(given, Mapping):
            raise FusionError(f"must be true, false, or an object by step, got {given!r:.80}")
        steps = dict(self.options.rerank)
        for name, change in given.items():
            require_known(name, list(steps), f"the fusion has no re-ranking step {name!r:.80}")
            if change is False:
                continue
            with at(str(name)):
                if change is not True:
                    steps[name] = steps[name].replaced(change)
                steps[name].check(self.readable)
        steps = {name: step for name, step in steps.items() if given.get(name) is not False}
        return replace(self, options=self.options.model_copy(update={"rerank": steps}))

    def with_explore(self, given: bool | Mapping[str, Any]) -> "Plan":
        """Return this plan without exploration (``False``), with it (``True``), or with other parameters of it.

        Raises ``FusionError``, for a plan without exploration unless ``given`` is ``False``; otherwise the message
        begins with the parameter.
        """
        explore = self.options.explore
        if given is False:
            explore = None
        elif explore is None:
            raise FusionError("the fusion does not explore; only its config can add it")
        elif given is not True:
            explore = explore.replaced(given)
        return replace(self, options=self.options.model_copy(update={"explore": explore}))

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
    *,
    compared: Mapping[str, Comparable] | None = None,
    candidate_id: str | None = None,
) -> Plan:
    """Build a plan from a config, for T objectives with their task kinds.

    ``features`` are those of one value that it may read, ``compared`` the candidate features by which re-ranking may
    compare candidates, and how; ``candidate_id`` identifies candidates.

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
                fitting = ", ".join(name for name, other in CALIBRATIONS.items() if other.needs <= traits) or "none"
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
    readable = Readable(names, features, compared or {}, candidate_id)
    for name, step in options.rerank.items():
        with at(f"rerank.{name}"):
            step.check(readable)
    return Plan(options, fusion, state.calibration if state else None, readable)


def _words(
    normalisation: NormalisationName | Mapping[str, NormalisationName], objectives: tuple[str, ...]
) -> list[str]:
    """Normalisation method of each objective."""
    if isinstance(normalisation, str):
        return [normalisation] * len(objectives)
    return [normalisation.get(objective, "none") for objective in objectives]
