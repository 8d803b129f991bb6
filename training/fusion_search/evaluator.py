"""Evaluates parameter sets: fuses and sorts the rows once per set, sets in parallel threads."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, FusionError, Plan, Ranked, Requests
from ranker.fusion.rules import Mask, Rule
from ranker.log_files.log_reader import DataError
from ranker.metrics.binned_auc import BinnedAuc, BoundedAucs, Rows
from ranker.metrics.grouped import Groups, Ranking
from ranker.metrics.joint_auc import JointAuc
from training.config.experiment import ConfigError
from training.config.metric_names import Metric
from training.evaluation.rankings import prepared, relevance_of
from training.fusion_search.measurer import Statistics
from training.fusion_search.scored_rows import ScoredRows
from training.fusion_search.space import Sets, step_parameter

Floats = NDArray[np.float64]

BLOCK = 32_768
"""Rows fused at a time, so that a formula's intermediate arrays fit a core's cache."""
TOGETHER = 2
"""Parameter sets evaluated in one pass over the rows if AUCs are binned."""
BINNED_BLOCK = 131_072
"""Rows fused at a time if AUCs are binned. Smaller blocks would fit the cache, but threads release the interpreter
lock at each NumPy call, and shorter calls leave them waiting for it."""


@dataclass(frozen=True)
class _Prepared:
    """Parameter-independent inputs: the formula's columns, and the rows to which rules apply."""

    columns: Floats
    picked: tuple[tuple[Rule, Mask], ...]

    def taken(self, order: NDArray[np.intp]) -> "_Prepared":
        """The rows in another order."""
        return _Prepared(np.asfortranarray(self.columns[order]), tuple((rule, m[order]) for rule, m in self.picked))


class Evaluator:
    """Computes metrics of fusions on N scored rows.

    Parameters
    ----------
    plan
        Calibration, normalisation, formula, rules and re-ranking; parameter sets replace its parameters.
    rows
        The rows to rank.
    metrics
        The M metrics to compute.
    binned
        Whether AUCs come from histograms (:class:`ranker.metrics.binned_auc.BinnedAuc`) instead of exact sorting.
    jobs
        Threads, each evaluating its own set.

    Raises
    ------
    DataError
        If a metric is undefined on these rows for any ranking.
    """

    def __init__(
        self, plan: Plan, rows: ScoredRows, metrics: Sequence[Metric], *, binned: bool = False, jobs: int = 1
    ) -> None:
        self.plan, self.rows, self.metrics, self.jobs = plan, rows, tuple(metrics), jobs
        requests = Requests(rows.groups, int(rows.groups.max(initial=-1)) + 1)
        features = {name: rows.columns[name] for name in plan.features}
        calibrated = plan.calibrated(Candidates.of(plan.objectives, rows.scores, requests, features))
        rules = plan.options.rules.values()
        self._calibrated = calibrated
        self._prepared = _Prepared(
            np.asfortranarray(plan.prepare(calibrated)),
            tuple((rule, rule.picks(plan.objectives, calibrated)) for rule in rules),
        )
        self._of_auc = [i for i, metric in enumerate(self.metrics) if metric.kind == "auc"]
        self._aucs: JointAuc | BinnedAuc | None = None
        if self._of_auc:
            columns = [self.rows.objectives.index(self.metrics[i].column) for i in self._of_auc]
            labels = (rows.labels[:, columns], rows.known[:, columns])
            self._aucs = BinnedAuc(*labels) if binned else JointAuc(*labels)
            for i, pairs in zip(self._of_auc, self._aucs.classes.pairs, strict=True):
                if not pairs:
                    raise DataError(f"{self.metrics[i].name}: all {len(rows):,} rows have the same label")
        self._by_class: _Prepared | None = None
        self._groups = Groups(rows.groups)
        self.measures = tuple(
            prepared(metric, self._groups, relevance_of(metric, rows.objectives, rows.labels, rows.known, rows.columns))
            for metric in self.metrics
        )
        self._grouped = {i: metric for i, metric in enumerate(self.metrics) if metric.kind != "auc"}
        if isinstance(self._aucs, BinnedAuc) and self._only_bins:
            self._by_class = self._prepared.taken(self._aucs.order)

    def __call__(self, sets: Sets) -> Floats:
        """Metrics [P, M] of P parameter sets."""
        count = len(next(iter(sets.values())))
        measure, together = (self._binned, TOGETHER) if self._only_bins else (self._measured, 1)
        parts = [{name: values[p : p + together] for name, values in sets.items()} for p in range(0, count, together)]
        if self.jobs == 1 or len(parts) == 1:
            return np.concatenate([measure(part) for part in parts])
        with ThreadPoolExecutor(self.jobs) as pool:
            return np.concatenate(list(pool.map(measure, parts)))

    def baseline(self) -> Floats:
        """Metrics [M] with the plan's own parameters."""
        return np.asarray(self({name: values[None] for name, values in self.plan.fusion.arrays.items()})[0])

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.rows.groups.max(initial=-1)) + 1

    def statistics(self, one: Sets) -> Statistics:
        """One set's metrics as a function of group counts; rows are sorted only once."""
        keys = self.keys(one)
        ranking = self.ranking(keys) if any(metric.kind != "auc" for metric in self.metrics) else None
        parts = [measure.measured(keys, ranking).statistic for measure in self.measures]
        return lambda counts: np.array([part(counts) for part in parts])

    def fused(self, one: Sets) -> Floats:
        """Fused scores [N] for one parameter set, rules included: candidates below a floor score below all others."""
        fused = np.empty(len(self.rows))
        for rows, block in self._blocks(one):
            fused[rows] = block[0]
        low = np.zeros(len(fused), dtype=bool)
        for rule, picked in self._prepared.picked:
            if rule.sends_last or rule.drops:
                low |= picked
        if low.any():
            least, span = fused.min(), np.ptp(fused)
            fused[low] = least - 1.0 - span + (fused[low] - least)
        return fused

    def ranking(self, keys: Floats) -> Ranking:
        """Rankings within groups by ``keys`` [N]."""
        return self._groups.ranking(keys)

    def keys(self, one: Sets) -> Floats:
        """Numbers [N] that order the rows as one parameter set ranks them: the fused scores unless it re-ranks."""
        fused, plan = self.fused(one), stepped(self.plan, one)
        if not plan.options.rerank:
            return fused
        last, dropped = np.zeros(len(fused), dtype=bool), np.zeros(len(fused), dtype=bool)
        for rule, picked in self._prepared.picked:
            last |= picked & rule.sends_last
            dropped |= picked & rule.drops
        ranked = Ranked(self._calibrated.scores, fused, last, dropped, {})
        return plan.reranked(self._calibrated, ranked).sort_keys()

    @property
    def _only_bins(self) -> bool:
        """Whether all metrics are binned AUCs, and neither a rule nor re-ranking needs all scores of a set."""
        sinks = any(rule.sends_last or rule.drops for rule, _ in self._prepared.picked) or self.plan.options.rerank
        return isinstance(self._aucs, BinnedAuc) and not self._grouped and not sinks

    def _binned(self, sets: Sets) -> Floats:
        """Metrics [P, M] of P sets, fused block by block."""
        by_class = self._by_class
        assert isinstance(self._aucs, BinnedAuc)
        assert by_class is not None
        return self._aucs.of_rankings(lambda rows: self._combined(by_class, rows, sets), BINNED_BLOCK).values

    def _measured(self, one: Sets) -> Floats:
        """Metrics [1, M] of one set."""
        values = np.empty(len(self.metrics))
        keys = self.keys(one)
        if self._aucs is not None:
            aucs = self._aucs(keys)
            values[self._of_auc] = aucs.values if isinstance(aucs, BoundedAucs) else aucs
        if self._grouped:
            ranking = self.ranking(keys)
            for i, metric in self._grouped.items():
                measured = self.measures[i].measured(keys, ranking)
                values[i] = measured.statistic(np.ones(measured.units))
                if np.isnan(values[i]):
                    raise DataError(f"{metric.name}: is undefined in every group of the {len(self.rows):,} rows")
        return values[None]

    def _blocks(self, one: Sets) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, len(self.rows), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self.rows)))
            yield rows, self._combined(self._prepared, rows, one)

    def _combined(self, prepared: _Prepared, rows: Rows, sets: Mapping[str, Floats]) -> Floats:
        """Fused scores [P, n] of n rows, boosts included."""
        own = {parameter.name: sets[parameter.name] for parameter in self.plan.fusion.formula.parameters}
        fused = self.plan.fusion.formula.combine(prepared.columns[rows], own)
        for rule, picked in prepared.picked:
            fused = np.where(picked[rows], rule.moved(fused), fused)
        return np.asarray(fused)


def stepped(plan: Plan, one: Sets) -> Plan:
    """The plan with the parameters of its re-ranking steps in one set."""
    changes: dict[str, dict[str, float]] = {}
    for name, step in plan.options.rerank.items():
        for parameter in step.parameters:
            if (values := one.get(step_parameter(name, parameter.name))) is not None:
                value = int(values[0]) if parameter.integer else float(values[0])
                changes.setdefault(name, {})[parameter.name] = value
    try:
        return plan.with_rerank(changes)
    except FusionError as error:  # two numbers that exclude each other, such as at_least and of_first
        raise ConfigError(f"--vary: rerank.{error}") from None
