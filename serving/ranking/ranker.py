"""Request -> scores -> fusion -> answer, with no HTTP in it."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact, ArtifactError, difference
from ranker.encoding import ColumnError, Packed
from ranker.engines import Engine, engine_of
from ranker.fusion import DEFAULT, FUSIONS, Candidates, FusionError, Plan, explain
from ranker.fusion.checks import require_known
from serving.features.items import ItemSource
from serving.features.users import Context, Users
from serving.logs import event
from serving.protocol.errors import RequestError
from serving.protocol.formats import READERS, WRITERS, Answer, Exchange, Opened
from serving.protocol.messages import FusionChoice, RankRequest
from serving.protocol.validation import RequestChecker, short
from serving.ranking.candidates import LookedUp, Pool, Sent
from serving.ranking.request_trace import RequestTrace
from serving.ranking.scheduler import Step
from serving.settings import Settings

CUDA_TOLERANCE = 1e-3
ONLY_MODEL = "default"
"""Model name when one artifact is served."""
DEFAULT_EXCHANGE = Exchange()


def _skipped(engine: str, reason: str) -> None:
    event(logging.WARNING, "engine not used", engine=engine, reason=reason)


class Ranker:
    """An artifact behind an engine that gave its golden requests their scores."""

    def __init__(
        self,
        artifact: Artifact,
        engine: Engine,
        max_candidates: int,
        tolerance: float = TOLERANCE,
        source: ItemSource | None = None,
        drop_unknown: bool = False,
        users: Users | None = None,
    ) -> None:
        self.artifact = artifact
        self.checker = RequestChecker(artifact, max_candidates, by_id=source is not None, by_user=users is not None)
        self._engine = engine
        self._replay(tolerance)
        self._source, self._drop_unknown = source, drop_unknown
        self._users = users
        self.items = source.first(artifact) if source is not None else None

    @classmethod
    def of(
        cls, artifact: Artifact, settings: Settings, items: ItemSource | None = None, users: Users | None = None
    ) -> "Ranker":
        """Put a loaded artifact behind its engine. Raises ``ArtifactError``, ``EngineError`` or ``ItemsError``."""
        engine = engine_of(settings.engine, artifact.model_path, settings.device, settings.threads, _skipped)
        tolerance = CUDA_TOLERANCE if settings.device == "cuda" else TOLERANCE
        drop = settings.unknown_items == "drop"
        return cls(artifact, engine, settings.max_candidates, tolerance, items, drop, users)

    @property
    def engine(self) -> str:
        """Name of the engine that scores."""
        return self._engine.name

    @property
    def by_user(self) -> bool:
        """Whether requests may name a user."""
        return self._users is not None

    def refresh(self) -> bool:
        """Take the items up anew where their file has changed; return whether it has. Raises ``ItemsError``."""
        if self._source is None or self.items is None or self._source.name(self.artifact) == self.items.folder.name:
            return False
        self.items = self._source.store(self.artifact)  # requests that run keep the one that they began with
        return True

    def answer(self, opened: Opened, watch: RequestTrace | None = None, exchange: Exchange = DEFAULT_EXCHANGE) -> bytes:
        """A request that was opened to the answer's bytes. Raises as :meth:`prepared` and what it returns."""
        step = self.prepared(opened, watch or RequestTrace(), exchange)
        while not isinstance(answer := step(), bytes):
            step = answer
        return answer

    def prepared(
        self,
        opened: Opened,
        watch: RequestTrace,
        exchange: Exchange,
        *,
        model: str = ONLY_MODEL,
        fusion: FusionChoice | None = None,
        experiment: Mapping[str, Any] | None = None,
    ) -> Step:
        """Check and encode a request that was opened; what is returned scores it, and then fuses and writes the answer.

        ``fusion`` ranks where the request names none; ``model`` and ``experiment`` are told in the answer. All steps
        raise ``RequestError``, and ``DeadlineError`` between stages.
        """
        request = READERS[exchange.reads]().check(opened, self.checker)
        name, plan = self.plan(request.fusion or fusion)
        watch.lap("parse")
        pool, context = self._pool(request), self._context(request)
        watch.looked_up, watch.unknown = pool.looked_up, len(pool.unknown or ())
        watch.user = context.outcome
        watch.lap("features")
        if pool.count:
            watch.packed = self._encoded(pool, context)
            watch.lap("encode")
        facts = {
            "model": model,
            "model_version": self.artifact.manifest.version,
            "fusion": {"name": name, "formula": plan.fusion.name, "parameters": plan.fusion.values},
            "experiment": experiment,
            **({} if context.facts is None else {"user": context.facts}),
            **({} if pool.unknown is None else {"unknown_ids": pool.unknown}),
        }

        def score() -> Step:
            watch.lap("turn")
            if watch.packed is not None:
                watch.scores = self._engine.score(watch.packed)
                watch.lap("score")
            return respond

        def respond() -> bytes:
            watch.lap("hold")
            if watch.scores is not None:
                answer = self._ranked(watch.scores, request, plan, pool, context, facts, watch)
            else:
                answer = Answer(facts, [], np.zeros(0), {n: np.zeros(0, np.float32) for n in plan.objectives}, None)
            written = WRITERS[exchange.writes](answer)
            watch.lap("respond")
            return written

        return score

    def _ranked(
        self,
        scores: NDArray[np.float32],
        request: RankRequest,
        plan: Plan,
        pool: Pool,
        context: Context,
        facts: dict[str, Any],
        watch: RequestTrace,
    ) -> Answer:
        self._require_finite(scores)
        candidates = self._candidates(plan, scores, pool, context)
        try:
            ranked = plan.rank(candidates)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None
        order = ranked.order(request.top_k)
        watch.lap("fuse")
        explanations = None
        if request.explain:
            shown = order if request.explain is True else order[: request.explain]
            picked = {rule: mask[shown] for rule, mask in ranked.picked.items()}
            explanations = {**_explained(plan, candidates, shown), "rules": picked}
        scored = _by_objective(plan, ranked.scores[order].astype(np.float32))
        return Answer(facts, pool.ids(order), ranked.fused[order], scored, explanations)

    def choices(self) -> dict[str, Plan]:
        """What a request may name: the artifact's fusions, and the formulas that need no more than parameters."""
        formulas = (name for name, formula in FUSIONS.items() if formula.stands_alone())
        return {name: self._named(name) for name in dict.fromkeys([*self.artifact.fusions, *formulas])}

    def _pool(self, request: RankRequest) -> Pool:
        if not request.by_id:
            return Sent(self.artifact, request.candidates)
        assert self.items is not None, "only where there are items does the check let ids alone pass"
        (ids,) = request.candidates.values()
        return LookedUp(self.artifact, self.items, ids, self._drop_unknown)

    def _context(self, request: RankRequest) -> Context:
        if request.user is None:
            return Context(request.context)
        assert self._users is not None, "only where there are users does the check let one pass"
        return self._users.context(request.user, request.context, self.checker.context)

    def _encoded(self, pool: Pool, context: Context) -> Packed:
        while True:
            try:
                return pool.packed(context.columns)
            except ColumnError as error:
                if context.forgive(error.column):
                    continue  # what is stored of a user is not the client's mistake
                side = "context" if error.column in context.columns else "candidates"
                row = f".{error.row}" if side == "candidates" else ""
                reason = f"must be {error.expected}, got {short(error.value)}"
                raise RequestError([(f"{side}.{error.column}{row}", reason)]) from None

    def _require_finite(self, scores: NDArray[np.float32]) -> None:
        """Refuse candidates whose inputs are so large that the model overflows."""
        finite = np.isfinite(scores)
        if not finite.all():
            tasks = self.artifact.manifest.tasks
            reason = "has values so large that the model gives no finite score for {}"
            raise RequestError(
                (f"candidates.{row}", reason.format(", ".join(tasks[i] for i in np.flatnonzero(~finite[row]))))
                for row in np.flatnonzero(~finite.all(axis=1)).tolist()
            )

    def _candidates(self, plan: Plan, scores: NDArray[np.float32], pool: Pool, context: Context) -> Candidates:
        """Scores, with the raw values of the features that the fusion reads."""
        schema = self.artifact.schema
        features = {
            name: np.array(context.columns[schema.column(name)][0], dtype=object)
            if name in schema.context
            else pool.raw(name)
            for name in plan.features
        }
        return Candidates.of(plan.objectives, scores, features=features)

    def plan(self, choice: FusionChoice | None) -> tuple[str, Plan]:
        """What is asked for, and the name that a request has for it. Raises ``RequestError``."""
        if choice is None:
            return DEFAULT, self.artifact.fusion
        name = choice.name or DEFAULT
        try:
            return name, self._named(name).replaced(choice.parameters)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None

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

    def _replay(self, tolerance: float) -> None:
        """Refuse an artifact whose golden requests get other scores here than from the model that was trained."""
        folder, tasks = self.artifact.folder, self.artifact.manifest.tasks
        if not self.artifact.golden:
            raise ArtifactError(f"{folder}: holds no golden request to check the scores with")
        for number, golden in enumerate(self.artifact.golden):
            context = {name: [value] for name, value in golden.context.items()}
            packed = self._encoded(Sent(self.artifact, golden.candidates), Context(context))
            expected = np.array([golden.scores[task] for task in tasks]).T
            count = len(packed.candidate_ids)
            for size in (count, *self._engine.sizes) if number == 0 else (count,):
                rows = np.arange(size) % count  # a graph of a size is asked for as many, over and over the same
                many = packed._replace(
                    candidate_ids=packed.candidate_ids[rows], candidate_numbers=packed.candidate_numbers[rows]
                )
                got = self._engine.score(many)
                for i, task in enumerate(tasks):
                    worst = difference(got[:, i], expected[rows, i]) if len(expected) == count else np.inf
                    if not worst <= tolerance:
                        raise ArtifactError(
                            f"{folder}: golden request {number}, task {task!r}: scores differ by {worst:.2e} from "
                            f"those the model was exported with, more than {tolerance:.0e}; it is not served"
                        )


def _by_objective(plan: Plan, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return dict(zip(plan.objectives, np.ascontiguousarray(values.T), strict=True))


def _explained(plan: Plan, candidates: Candidates, shown: NDArray[np.intp]) -> dict[str, Any]:
    """Explanations of the candidates ``shown``, by their positions in the request."""
    told = explain(plan, candidates, shown)
    return {
        "baseline": told.baseline,
        "contributions": _by_objective(plan, told.contributions),
        "rank_without": _by_objective(plan, told.rank_without),
    }
