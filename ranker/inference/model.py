"""An artifact behind an engine: scores and rankings of one request at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact
from ranker.artifact import load as load_artifact
from ranker.encoding import ColumnError, Packed
from ranker.engines import Engine, engine_of
from ranker.fusion import DEFAULT, FUSIONS, Candidates, FusionError, Plan
from ranker.fusion.build import Given
from ranker.fusion.checks import require_known
from ranker.inference.pool import ContextColumns, Pool, Sent, plain, raw_values
from ranker.inference.ranking import Explanations, Ranking, by_objective, explained
from ranker.inference.replay import replay
from ranker.inference.tables import InputError as InputError
from ranker.inference.tables import Table, candidate_columns, context_columns, told

CUDA_TOLERANCE = 1e-3


class Model:
    """An artifact behind an engine that gave its golden requests their scores.

    Attributes
    ----------
    artifact
        What was exported: schema, encoder, fusions, manifest.
    engine
        What runs the graph.
    """

    def __init__(self, artifact: Artifact, engine: Engine, tolerance: float = TOLERANCE) -> None:
        """Raise ``ArtifactError`` where scores of the golden requests differ by more than ``tolerance``."""
        self.artifact, self.engine = artifact, engine
        replay(artifact, engine, tolerance)

    @classmethod
    def load(cls, path: str | Path, *, engine: str = "auto", device: str = "cpu", threads: int = 0) -> "Model":
        """Load an artifact, or the highest version in a folder of versions.

        Parameters
        ----------
        path
            The artifact's folder, or the ``output`` of a training run.
        engine
            A name of :data:`ranker.engines.ENGINES`, or ``auto``: the device's best that is installed.
        device
            ``cpu`` or ``cuda``.
        threads
            Of the engine; 0 is one for each core.

        Raises
        ------
        ArtifactError
            For anything amiss with the files, and where scores differ from those of the trained model.
        EngineError
            Where no engine can run it.
        """
        artifact = load_artifact(Path(path))
        tolerance = CUDA_TOLERANCE if device == "cuda" else TOLERANCE
        return cls(artifact, engine_of(engine, artifact.model_path, device, threads), tolerance)

    @property
    def tasks(self) -> list[str]:
        """Names of the T objectives."""
        return list(self.artifact.manifest.tasks)

    def score(self, context: Table, candidates: Table) -> dict[str, NDArray[np.float32]]:
        """Each objective's score of every candidate, as the model gives it: before calibration and fusion.

        Parameters
        ----------
        context
            The request's side: a dict of one value a column, or a DataFrame or Arrow table of one row.
        candidates
            N candidates: a DataFrame, an Arrow table, or a dict of columns [N]. Columns that the model does not read
            are ignored.

        Returns
        -------
        By objective, scores [N] in the candidates' order.

        Raises
        ------
        InputError
            For a column that is missing, a value of a wrong type, and values so large that no score is finite.
        """
        _, _, scores = self._scored(context, candidates)
        return dict(zip(self.tasks, np.ascontiguousarray(scores.T), strict=True))

    def rank(
        self,
        context: Table,
        candidates: Table,
        *,
        top_k: int | None = None,
        fusion: str | Mapping[str, Any] | None = None,
        explain: bool | int = False,
    ) -> Ranking:
        """Score, fuse and order candidates, as ``POST /rank`` does.

        Parameters
        ----------
        context, candidates
            As for :meth:`score`.
        top_k
            How many of the best to return; all by default.
        fusion
            A name of :meth:`choices`, or ``{"name": ..., "parameters": {...}}`` with either part; parameters are by
            name, one number for all objectives or numbers by objective.
        explain
            Whether to say why: ``True`` for each candidate returned, or a number of the best.

        Raises
        ------
        InputError
            As :meth:`score`, and for a ``top_k`` or ``explain`` below 1.
        FusionError
            For a fusion that is unknown, or parameters out of bounds.
        """
        _require_count("top_k", top_k)
        _require_count("explain", None if isinstance(explain, bool) else explain)
        name, plan = self.plan(*_choice(fusion))
        pool, columns, scores = self._scored(context, candidates)
        fused = self.fused(plan, scores, pool, columns)
        ranked = plan.rank(fused)
        order = ranked.order(top_k)
        why: Explanations | None = None
        if explain:
            why = explained(plan, fused, order if explain is True else order[:explain], ranked.picked)
        return Ranking(
            model_version=self.artifact.manifest.version,
            fusion=facts(name, plan),
            ids=plain(pool.ids(order)),
            positions=order,
            fused=ranked.fused[order],
            scores=by_objective(plan, ranked.scores[order].astype(np.float32)),
            explanations=why,
        )

    def choices(self) -> dict[str, Plan]:
        """Fusions that a request may name: the artifact's, and formulas that need no more than parameters."""
        formulas = (name for name, formula in FUSIONS.items() if formula.stands_alone())
        return {name: self._named(name) for name in dict.fromkeys([*self.artifact.fusions, *formulas])}

    def plan(self, name: str | None = None, parameters: Given | None = None) -> tuple[str, Plan]:
        """A fusion by name, the default one without, with some parameters set anew. Raises ``FusionError``."""
        if name is None and not parameters:
            return DEFAULT, self.artifact.fusion
        return name or DEFAULT, self._named(name or DEFAULT).replaced(parameters or {})

    def fused(self, plan: Plan, scores: NDArray[np.float32], pool: Pool, context: ContextColumns) -> Candidates:
        """Scores [N, T] with the raw values of the features that the fusion reads."""
        schema = self.artifact.schema
        features = {
            name: np.array(raw_values(context[schema.column(name)])[0], dtype=object)
            if name in schema.context
            else pool.raw(name)
            for name in plan.features
        }
        return Candidates.of(plan.objectives, scores, features=features)

    def not_finite(self, scores: NDArray[np.float32]) -> dict[int, list[str]]:
        """Candidates whose inputs are so large that the model overflows: objectives without a score, by position."""
        finite = np.isfinite(scores)
        if finite.all():
            return {}
        rows = np.flatnonzero(~finite.all(axis=1)).tolist()
        return {row: [self.tasks[i] for i in np.flatnonzero(~finite[row])] for row in rows}

    def _scored(self, context: Table, candidates: Table) -> tuple[Pool, ContextColumns, NDArray[np.float32]]:
        schema, encoder = self.artifact.schema, self.artifact.encoder
        columns = context_columns(schema, encoder, context)
        pool = Sent(self.artifact, candidate_columns(schema, encoder, candidates))
        if not pool.count:
            return pool, columns, np.zeros((0, len(self.tasks)), dtype=np.float32)
        scores = self.engine.score(self._encoded(pool, columns))
        for row, tasks in self.not_finite(scores).items():
            raise InputError(
                f"candidates, row {row}: has values so large that the model gives no finite score for "
                f"{', '.join(tasks)}"
            )
        return pool, columns, scores

    def _encoded(self, pool: Pool, context: ContextColumns) -> Packed:
        try:
            return pool.packed(context)
        except ColumnError as error:
            raise told(error, "context" if error.column in context else "candidates") from None

    def _named(self, name: str) -> Plan:
        """A fusion of the artifact, or a formula within the steps of the default one. Raises ``FusionError``."""
        default = self.artifact.fusion
        if name in self.artifact.fusions:
            return self.artifact.fusions[name]
        if name == default.fusion.name:  # its formula, with the parameters of the config
            return default
        if name not in FUSIONS:
            require_known(name, list(self.choices()), f"no fusion is named {name!r}")
        return default.with_formula(name, {})


def facts(name: str, plan: Plan) -> dict[str, Any]:
    """The fusion that ranked: the name in a request, its formula, all parameters."""
    return {"name": name, "formula": plan.fusion.name, "parameters": plan.fusion.values}


def _require_count(name: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1):
        raise InputError(f"{name}: must be a whole number of at least 1, got {value!r}")


def _choice(fusion: str | Mapping[str, Any] | None) -> tuple[str | None, Given | None]:
    if fusion is None or isinstance(fusion, str):
        return fusion, None
    if not isinstance(fusion, Mapping):
        raise FusionError(f"fusion: must be a name or a dict of name and parameters, got {fusion!r}")
    for key in fusion:
        require_known(key, ["name", "parameters"], f"fusion: unknown key {key!r}")
    return fusion.get("name"), fusion.get("parameters")
