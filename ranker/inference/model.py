"""An artifact loaded into an engine: scores and rankings, one request at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact
from ranker.artifact import load as load_artifact
from ranker.encoding import ColumnError, Packed
from ranker.engines import FLOAT32, Engine, EngineOptions
from ranker.fusion import DEFAULT, FUSIONS, Candidates, Plan
from ranker.fusion.build import Given
from ranker.fusion.checks import at, require_known
from ranker.fusion.reranking import Cost
from ranker.inference.agreement import MIN_NDCG, Agreement
from ranker.inference.cascade import Asked, Cascade, Quota, Sifted, sized, student_engine
from ranker.inference.fusion_choice import Explore, Rerank, facts, parts
from ranker.inference.pool import ContextColumns, Pool, Sent, fusion_input, plain
from ranker.inference.precision import load_engine, tolerance_of
from ranker.inference.ranking import Explanations, Ranking, by_objective, explained
from ranker.inference.replay import replay
from ranker.inference.tables import InputError as InputError
from ranker.inference.tables import Table, candidate_columns, context_columns, input_error

NO_STUDENT = "the artifact has no student to rank in two stages with; `ranker-train distill` adds one"


class Model:
    """An artifact loaded into an engine that reproduces the scores of its golden requests.

    Attributes
    ----------
    artifact
        Schema, encoder, fusions and manifest.
    engine
        Runs the graph.
    agreement
        How far the rankings of the engine's precision agree with the exported ones; ``None`` if it is float32.
    cascade
        The artifact's student, for rankings in two stages; ``None`` without one.
    """

    def __init__(
        self,
        artifact: Artifact,
        engine: Engine,
        tolerance: float = TOLERANCE,
        *,
        agreement: Agreement | None = None,
        student: Engine | None = None,
    ) -> None:
        """Raise ``ArtifactError`` if scores of the golden requests differ by more than ``tolerance``.

        ``student`` runs the artifact's student; without it, all rankings are the full model's.
        """
        self.artifact, self.engine, self.agreement = artifact, engine, agreement
        replay(artifact, engine, tolerance)
        self.cascade = None if student is None else Cascade(artifact, student)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        engine: str = "auto",
        device: str = "cpu",
        threads: int = 0,
        precision: str = FLOAT32,
        precision_min_ndcg: float = MIN_NDCG,
    ) -> "Model":
        """Load an artifact, or the highest version in a folder of versions.

        Parameters
        ----------
        path
            The artifact's folder, or the ``output`` of a training run.
        engine
            A name in :data:`ranker.engines.ENGINES`, or ``auto``: the best installed one for the device.
        device
            ``cpu`` or ``cuda``.
        threads
            Threads of the engine; 0 means one per core.
        precision
            ``float32``, ``tf32``, ``bfloat16``, ``float16``, or ``auto``: the fastest that keeps the bound.
        precision_min_ndcg
            Lowest NDCG@10 of rankings in another precision than float32 against those of float32, from 0 to 1.

        Raises
        ------
        ArtifactError
            If files are missing or invalid, or scores differ from those of the trained model.
        EngineError
            If no engine can run it in this precision, or its rankings agree too little with those of float32.
        """
        artifact = load_artifact(Path(path))
        options = EngineOptions(device, threads, precision)
        student = student_engine(artifact, engine, options)
        loaded = load_engine(artifact, engine, sized(options, student), min_ndcg=precision_min_ndcg)
        tolerance = tolerance_of(loaded.engine.precision, device)
        return cls(artifact, loaded.engine, tolerance, agreement=loaded.agreement, student=student)

    @property
    def tasks(self) -> list[str]:
        """Names of the T objectives."""
        return list(self.artifact.manifest.tasks)

    def score(self, context: Table, candidates: Table) -> dict[str, NDArray[np.float32]]:
        """Score every candidate on each objective, before calibration and fusion.

        Parameters
        ----------
        context
            The request's features: a dict of one value per column, or a DataFrame or Arrow table of one row.
        candidates
            N candidates: a DataFrame, an Arrow table, or a dict of columns [N]. Unused columns are ignored.

        Returns
        -------
        By objective, scores [N] in the order of the candidates.

        Raises
        ------
        InputError
            For a missing column, a value of the wrong type, and values so large that a score is not finite.
        """
        scores, _ = self._scored(*self._pool(context, candidates))
        return dict(zip(self.tasks, np.ascontiguousarray(scores.T), strict=True))

    def rank(
        self,
        context: Table,
        candidates: Table,
        *,
        top_k: int | None = None,
        fusion: str | Mapping[str, Any] | None = None,
        explain: bool | int = False,
        cascade: Asked = None,
        seed: str | None = None,
    ) -> Ranking:
        """Score, fuse and order candidates, as ``POST /rank`` does.

        Parameters
        ----------
        context, candidates
            As for :meth:`score`.
        top_k
            Number of candidates to return; all by default.
        fusion
            A name in :meth:`choices`, or ``{"name": ..., "parameters": {...}, "rerank": ..., "explore": ...}``, all
            optional; each parameter is one number for all objectives, or numbers by objective. ``rerank`` is ``False``
            to switch re-ranking off, or by step ``False`` or its parameters; ``explore`` is ``False`` to switch
            exploration off, or its parameters.
        explain
            ``True`` to explain all returned candidates, or the number of top candidates to explain.
        cascade
            ``False`` to score all candidates with the full model; ``True``, or a share of the candidates, to rank in
            two stages: only that share, the best of the artifact's student, is scored by the full model. By default in
            two stages if the artifact has a student whose rankings agree with the full model's.
        seed
            Seed of exploration, such as the request's id, which is the seed of ``POST /rank``: the same seed draws the
            same order. Without one, a fusion that explores ranks as if it did not.

        Raises
        ------
        InputError
            As in :meth:`score`, for a ``top_k`` or ``explain`` below 1, for a ``cascade`` that is not a share or needs
            a student that the artifact lacks, for a ``seed`` that is not text, and if ``explore`` needs a seed.
        FusionError
            For an unknown fusion, or parameters out of bounds.
        """
        _require_count("top_k", top_k)
        _require_count("explain", None if isinstance(explain, bool) else explain)
        choice = parts(fusion)
        name, plan = self.plan(*choice)
        _require_seed(seed, choice.explore)
        if seed is None:
            plan = plan.with_explore(False)
        pool, columns = self._pool(context, candidates)
        scores, sifted = self._scored(pool, columns, plan, self.quota(name, pool.count, top_k, cascade))
        fused = self.fused(plan, scores, pool, columns) if sifted is None else sifted.candidates(plan, scores)
        ranked = plan.rank(fused, seed)
        order = ranked.order(top_k)
        base_place, propensity = ranked.drawn(order)
        why: Explanations | None = None
        cost: Cost | None = None
        if explain:
            why, cost = explained(plan, fused, order if explain is True else order[:explain], ranked, top_k)
        return Ranking(
            model_version=self.artifact.manifest.version,
            fusion=facts(name, plan),
            ids=plain(pool.ids(order)),
            positions=order,
            fused=ranked.fused[order],
            scores=by_objective(plan, ranked.scores[order].astype(np.float32)),
            explanations=why,
            scored_by=None if sifted is None else sifted.scored_by(order),
            reranking=cost,
            base_place=base_place,
            propensity=propensity,
        )

    def quota(self, fusion: str, candidates: int, top_k: int | None, asked: Asked = None) -> Quota | None:
        """How many of N candidates the full model scores after the student; ``None`` if it scores all.

        ``fusion`` is the name of the request's fusion. Raises ``InputError`` for ``asked`` other than ``False`` without
        a student, and for a share outside of (0, 1].
        """
        share = None if asked is None or isinstance(asked, bool) else asked
        if share is not None and (not isinstance(share, int | float | np.number) or not 0 < share <= 1):
            raise InputError(f"cascade: must be a share above 0 and at most 1, got {asked!r}")
        if self.cascade is None:
            if asked is None or asked is False:
                return None
            raise InputError(f"cascade: {NO_STUDENT}")
        if asked is False or (asked is None and self.cascade.doubt(fusion) is not None):
            return None
        return self.cascade.quota(candidates, top_k, share)

    def sift(self, plan: Plan, packed: Packed, pool: Pool, context: ContextColumns, quota: Quota) -> Sifted | None:
        """Run the first stage, as :meth:`Cascade.sift`."""
        assert self.cascade is not None, "there is no quota without a student"
        return self.cascade.sift(plan, packed, lambda scores: self.fused(plan, scores, pool, context), quota)

    def choices(self) -> dict[str, Plan]:
        """Fusions a request may name: the artifact's, and formulas that need only parameters."""
        formulas = (name for name, formula in FUSIONS.items() if formula.stands_alone())
        return {name: self._named(name) for name in dict.fromkeys([*self.artifact.fusions, *formulas])}

    def plan(
        self,
        name: str | None = None,
        parameters: Given | None = None,
        rerank: Rerank | None = None,
        explore: Explore | None = None,
    ) -> tuple[str, Plan]:
        """Return a fusion by name, with some of its parameters, re-ranking steps or exploration switched or changed.

        Raises ``FusionError``.
        """
        if name is None and not parameters and rerank is None and explore is None:
            return DEFAULT, self.artifact.fusion
        plan = self._named(name or DEFAULT).replaced(parameters or {})
        if rerank is not None:
            with at("rerank"):
                plan = plan.with_rerank(rerank)
        if explore is not None:
            with at("explore"):
                plan = plan.with_explore(explore)
        return name or DEFAULT, plan

    def fused(self, plan: Plan, scores: NDArray[np.float32], pool: Pool, context: ContextColumns) -> Candidates:
        """Combine scores [N, T] with the raw values of the features the fusion reads."""
        return fusion_input(self.artifact, plan, scores, pool, context)

    def not_finite(self, scores: NDArray[np.float32]) -> dict[int, list[str]]:
        """Objectives whose score is not finite, by candidate position: inputs that overflow the model."""
        finite = np.isfinite(scores)
        if finite.all():
            return {}
        rows = np.flatnonzero(~finite.all(axis=1)).tolist()
        return {row: [self.tasks[i] for i in np.flatnonzero(~finite[row])] for row in rows}

    def _pool(self, context: Table, candidates: Table) -> tuple[Pool, ContextColumns]:
        schema, encoder = self.artifact.schema, self.artifact.encoder
        columns = context_columns(schema, encoder, context)
        return Sent(self.artifact, candidate_columns(schema, encoder, candidates)), columns

    def _scored(
        self, pool: Pool, columns: ContextColumns, plan: Plan | None = None, quota: Quota | None = None
    ) -> tuple[NDArray[np.float32], Sifted | None]:
        """Scores [N, T]; with a ``quota``, those of two stages and the result of the first."""
        if not pool.count:
            return np.zeros((0, len(self.tasks)), dtype=np.float32), None
        packed = self._encoded(pool, columns)
        sifted = None
        if plan is not None and quota is not None:
            sifted = self.sift(plan, packed, pool, columns, quota)
        scores = self.engine.score(packed if sifted is None else sifted.packed(packed))
        if sifted is not None:
            scores = sifted.joined(scores)
        for row, tasks in self.not_finite(scores).items():
            raise InputError(
                f"candidates, row {row}: values are so large that the model gives no finite score for "
                f"{', '.join(tasks)}"
            )
        return scores, sifted

    def _encoded(self, pool: Pool, context: ContextColumns) -> Packed:
        try:
            return pool.packed(context)
        except ColumnError as error:
            raise input_error(error, "context" if error.column in context else "candidates") from None

    def _named(self, name: str) -> Plan:
        """Return a fusion of the artifact, or the default one with another formula. Raises ``FusionError``."""
        default = self.artifact.fusion
        if name in self.artifact.fusions:
            return self.artifact.fusions[name]
        if name == default.fusion.name:  # its formula with the config's parameters
            return default
        if name not in FUSIONS:
            require_known(name, list(self.choices()), f"no fusion is named {name!r}")
        return default.with_formula(name, {})


def _require_count(name: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
        raise InputError(f"{name}: must be a whole number of at least 1, got {value!r}")


def _require_seed(seed: str | None, explore: Explore | None) -> None:
    if seed is not None and not isinstance(seed, str):
        raise InputError(f"seed: must be text, such as the request's id, got {seed!r}")
    if seed is None and explore is not None and explore is not False:
        raise InputError("seed: exploration needs one, such as the request's id")
