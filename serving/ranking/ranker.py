"""Ranks one request: validates, looks up, encodes, scores, fuses, and writes the answer; independent of HTTP."""

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import TOLERANCE, Artifact
from ranker.cpus import cores
from ranker.encoding import ColumnError, Packed
from ranker.engines import FLOAT32, Engine, EngineOptions, engine_of
from ranker.engines.row_tables import described
from ranker.fusion import FusionError, Plan
from ranker.inference.agreement import Agreement
from ranker.inference.cascade import Quota, Sifted, sized, student_engine
from ranker.inference.fusion_choice import facts as fusion_facts
from ranker.inference.model import InputError, Model
from ranker.inference.precision import load_engine, tolerance_of
from ranker.inference.ranking import by_objective, explained
from serving.features.items import ItemSource
from serving.features.users import Context, Users
from serving.logs import event
from serving.protocol.errors import RequestError
from serving.protocol.formats import READERS, WRITERS, Answer, Exchange, Opened
from serving.protocol.messages import FusionChoice, RankRequest
from serving.protocol.validation import RequestChecker, short
from serving.ranking.candidates import LookedUp, RequestPool, SentRequest
from serving.ranking.exposure import exposed
from serving.ranking.request_trace import RequestTrace
from serving.ranking.scheduler import Later, Step, completed
from serving.scorer.client import RemoteEngine, Request, Scorers
from serving.settings import Settings

ONLY_MODEL = "default"
"""Model name when one artifact is served."""
PRECISIONS = "precisions"
"""Folder below ``runtime`` in which workers share the precisions that ``auto`` chose."""
DEFAULT_EXCHANGE = Exchange()
Cascading: TypeAlias = Literal["auto", "request", "off"]
"""Which requests are ranked in two stages, as the setting ``cascade``."""


def _skipped(engine: str, reason: str) -> None:
    event(logging.WARNING, "engine not used", engine=engine, reason=reason)


def _refused(precision: str, reason: str) -> None:
    event(logging.WARNING, "precision not used", precision=precision, reason=reason)


class Ranker:
    """One version of a model: an artifact with an engine that has reproduced its golden requests."""

    def __init__(
        self,
        artifact: Artifact,
        engine: Engine,
        max_candidates: int,
        tolerance: float = TOLERANCE,
        source: ItemSource | None = None,
        drop_unknown: bool = False,
        users: Users | None = None,
        agreement: Agreement | None = None,
        student: Engine | None = None,
        cascade: Cascading = "auto",
    ) -> None:
        self._remote = engine if isinstance(engine, RemoteEngine) else None
        self.model = Model(artifact, engine, tolerance, agreement=agreement, student=student)
        self._cascade: Cascading = cascade
        self.artifact = artifact
        self.checker = RequestChecker(artifact, max_candidates, by_id=source is not None, by_user=users is not None)
        self._source, self._drop_unknown = source, drop_unknown
        self._users = users
        self.tables = described(artifact.model_path)
        self.items = source.first(artifact) if source is not None else None

    @classmethod
    def of(
        cls,
        artifact: Artifact,
        settings: Settings,
        items: ItemSource | None = None,
        users: Users | None = None,
        scorers: Scorers | None = None,
    ) -> "Ranker":
        """Start the engine of a loaded artifact, in this process or in ``scorers``; a student's is always here.

        With scorers, ``threads`` are those of a scorer's run; the student's engines divide the cores among the workers.
        Raises ``ArtifactError``, ``EngineError`` or ``ItemsError``.
        """

        def load(name: str, options: EngineOptions) -> Engine:
            if scorers is not None:
                return scorers.engine(artifact, name, options, tolerance_of(options.precision, options.device))
            return engine_of(name, artifact.model_path, options, _skipped)

        options = EngineOptions(settings.device_kind, settings.threads, settings.precision)
        beside = options if scorers is None else options._replace(threads=max(cores() // settings.workers, 1))
        student = student_engine(artifact, settings.engine, beside) if settings.cascade != "off" else None
        engine, agreement = load_engine(
            artifact,
            settings.engine,
            sized(options, student),
            min_ndcg=settings.precision_min_ndcg,
            load=load,
            refused=_refused,
            choices=None if settings.runtime is None else settings.runtime / PRECISIONS,
        )
        if settings.precision != FLOAT32:
            facts = None if agreement is None else agreement.facts()
            number = artifact.manifest.version
            event(logging.INFO, "precision", version=number, precision=engine.precision, agreement=facts)
        ranker = cls(
            artifact,
            engine,
            settings.max_candidates,
            tolerance_of(engine.precision, settings.device_kind),
            items,
            settings.unknown_items == "drop",
            users,
            agreement,
            student,
            settings.cascade,
        )
        if (cascade := ranker.cascade()) is not None:
            event(logging.INFO, "cascade loaded", version=artifact.manifest.version, **cascade)
        return ranker

    @property
    def engine(self) -> str:
        """Name of the inference engine."""
        return self.model.engine.name

    def cascade(self) -> dict[str, Any] | None:
        """How requests are ranked in two stages; ``None`` without a student."""
        if self.model.cascade is None:
            return None
        student, doubt = self.model.cascade.student, self.model.cascade.doubt()
        by_default = self._cascade == "auto" and doubt is None
        return {
            "default": by_default,
            "reason": None if by_default else doubt or "only requests that ask for it (cascade: request)",
            "keep": student.keep,
            "engine": self.model.cascade.engine.name,
            "ndcg": {name: found.ndcg for name, found in student.fusions.items()},
        }

    @property
    def by_scorer(self) -> bool:
        """Whether the engine is in a scorer's process."""
        return self._remote is not None

    @property
    def ready(self) -> bool:
        """Whether requests can be scored; not while the scorer is being restarted."""
        return self._remote is None or self._remote.ready

    @property
    def precision(self) -> str:
        """Precision that the engine computes in."""
        return self.model.engine.precision

    @property
    def agreement(self) -> Agreement | None:
        """How far rankings agree with those of float32; ``None`` if that is the precision."""
        return self.model.agreement

    @property
    def by_user(self) -> bool:
        """Whether requests may name a user to look up."""
        return self._users is not None

    def refresh(self) -> bool:
        """Reload the items if their file has changed; return whether it has. Raises ``ItemsError``."""
        if self._source is None or self.items is None or self._source.name(self.artifact) == self.items.folder.name:
            return False
        self.items = self._source.store(self.artifact)  # running requests keep the store they started with
        return True

    def answer(self, opened: Opened, trace: RequestTrace | None = None, exchange: Exchange = DEFAULT_EXCHANGE) -> bytes:
        """Rank a parsed request and return the answer's bytes. Raises as :meth:`prepared` and its steps."""
        return completed(self.prepared(opened, trace or RequestTrace(), exchange))

    def prepared(
        self,
        opened: Opened,
        trace: RequestTrace,
        exchange: Exchange,
        *,
        model: str = ONLY_MODEL,
        fusion: FusionChoice | None = None,
        experiment: Mapping[str, Any] | None = None,
    ) -> Step:
        """Validate and encode a parsed request; return the step that scores it, which returns the step that answers.

        ``fusion`` applies if the request names none; ``model`` and ``experiment`` are reported in the answer. All steps
        raise ``RequestError``, and ``DeadlineError`` between stages.
        """
        request = READERS[exchange.reads]().check(opened, self.checker)
        name, plan = self.plan(request.fusion or fusion)
        trace.lap("parse")
        pool, context = self._pool(request), self._context(request)
        trace.looked_up, trace.unknown = pool.looked_up, len(pool.unknown or ())
        trace.user = context.outcome
        trace.lap("features")
        quota = self._quota(request, name, pool.count)
        if pool.count:
            trace.packed, context = self._encoded(pool, context)
            trace.lap("encode")
        facts = {
            "model": model,
            "model_version": self.artifact.manifest.version,
            "fusion": fusion_facts(name, plan),
            "experiment": experiment,
            **({} if context.facts is None else {"user": context.facts}),
            **({} if pool.unknown is None else {"unknown_ids": pool.unknown}),
        }

        sifted: Sifted | None = None

        def sift() -> Step:
            nonlocal sifted
            trace.lap("turn")
            assert trace.packed is not None, "there are more candidates than are kept"
            assert quota is not None, "it is the first step only with a quota"
            sifted = self.model.sift(plan, trace.packed, pool, context.columns, quota)
            trace.lap("sift")
            return score

        def score() -> "Step | Later":
            trace.lap("turn")
            if trace.packed is None:
                return respond
            packed = trace.packed if sifted is None else sifted.packed(trace.packed)
            if self._remote is not None:
                return Later(sent := self._remote.request(packed, trace.deadline), partial(scored, sent))
            keep(self.model.engine.score(packed))
            return respond

        def scored(sent: Request) -> bytes:
            trace.scored = sent.done
            keep(sent.scores())
            return respond()

        def keep(scores: NDArray[np.float32] | None) -> None:
            if sifted is not None and scores is not None:
                trace.by_full, scores = len(sifted.chosen), sifted.joined(scores)
            trace.scores = scores
            trace.lap("score")

        def respond() -> bytes:
            trace.lap("hold")
            if trace.scores is not None:
                answer = self._ranked(trace.scores, sifted, request, plan, pool, context, facts, trace)
            else:
                answer = Answer.empty(facts, plan.objectives, drawn=plan.options.explore is not None)
            written = WRITERS[exchange.writes](answer)
            trace.lap("respond")
            return written

        return score if quota is None else sift

    def _quota(self, request: RankRequest, fusion: str, candidates: int) -> Quota | None:
        """How many candidates the full model scores after the student; ``None`` if it scores all."""
        asked = request.cascade
        if asked is None and self._cascade != "auto":
            return None
        if self._cascade == "off" and asked is not False:
            raise RequestError([("cascade", "is switched off by the service (cascade: off)")])
        try:
            return self.model.quota(fusion, candidates, request.top_k, asked)
        except InputError as error:
            raise RequestError([("cascade", str(error).removeprefix("cascade: "))]) from None

    def _ranked(
        self,
        scores: NDArray[np.float32],
        sifted: Sifted | None,
        request: RankRequest,
        plan: Plan,
        pool: RequestPool,
        context: Context,
        facts: dict[str, Any],
        trace: RequestTrace,
    ) -> Answer:
        self._require_finite(scores)
        try:
            if sifted is None:
                candidates = self.model.fused(plan, scores, pool, context.columns)
            else:
                candidates = sifted.candidates(plan, scores)
                facts = {**facts, "cascade": sifted.facts()}
            ranked = plan.rank(candidates, trace.request_id)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None
        order = ranked.order(request.top_k)
        trace.lap("fuse")
        explanations = None
        if request.explain:
            chosen = order if request.explain is True else order[: request.explain]
            why, cost = explained(plan, candidates, chosen, ranked, request.top_k)
            explanations = vars(why)
            facts = facts if cost is None else {**facts, "reranking": cost.facts()}
        ids, fused, scored = shown = pool.ids(order), ranked.fused[order], ranked.scores[order].astype(np.float32)
        if trace.exposing is not None:
            trace.exposed = exposed(
                trace.exposing, plan, facts["fusion"], ranked, order, shown, scores, pool, context.columns
            )
        by = None if sifted is None else sifted.scored_by(order)
        return Answer(facts, ids, fused, by_objective(plan, scored), explanations, by, *ranked.drawn(order))

    def choices(self) -> dict[str, Plan]:
        """Fusions a request may name: the artifact's, and the formulas that need only parameters."""
        return self.model.choices()

    def _pool(self, request: RankRequest) -> RequestPool:
        if not request.by_id:
            return SentRequest(self.artifact, request.candidates)
        assert self.items is not None, "the checker accepts ids alone only if there are items"
        (ids,) = request.candidates.values()
        return LookedUp(self.artifact, self.items, ids, self._drop_unknown)

    def _context(self, request: RankRequest) -> Context:
        if request.user is None:
            return Context(request.context)
        assert self._users is not None, "the checker accepts a user only if there is a user store"
        return self._users.context(request.user, request.context, self.checker.context)

    def _encoded(self, pool: RequestPool, context: Context) -> tuple[Packed, Context]:
        """Encode; stored user values that the encoder refuses become null: they are not the client's fault."""
        while True:
            try:
                return pool.packed(context.columns), context
            except ColumnError as error:
                if (rest := context.without(error.column)) is not None:
                    context = rest
                    continue
                side = "context" if error.column in context.columns else "candidates"
                row = f".{error.row}" if side == "candidates" else ""
                reason = f"must be {error.expected}, got {short(error.value)}"
                raise RequestError([(f"{side}.{error.column}{row}", reason)]) from None

    def _require_finite(self, scores: NDArray[np.float32]) -> None:
        """Raise ``RequestError`` for candidates whose inputs are so large that the model overflows."""
        if unusable := self.model.not_finite(scores):
            reason = "has values so large that the model gives no finite score for {}"
            raise RequestError((f"candidates.{row}", reason.format(", ".join(of))) for row, of in unusable.items())

    def plan(self, choice: FusionChoice | None) -> tuple[str, Plan]:
        """The name and plan of the chosen fusion, by default the artifact's. Raises ``RequestError``."""
        try:
            if choice is None:
                return self.model.plan()
            return self.model.plan(choice.name, choice.parameters, choice.rerank, choice.explore)
        except FusionError as error:
            raise RequestError([("fusion", str(error))]) from None
