"""Learned fusion: a weighted sum and boosted trees on scores, fitted to a label computed from a config formula."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.config.closed import ColumnName, Name, formula
from ranker.config.closed import Formula as Text
from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import LocatedError, require_known
from ranker.fusion.formula import BLOCK, FUSIONS, Formula, FormulaOptions, State
from ranker.fusion.labels import AT, labels_and_weights, measure
from ranker.fusion.learned.boosting import Loss, Rows, Settings, boost
from ranker.fusion.learned.linear import Linear
from ranker.fusion.requests import Requests
from ranker.trees import Trees


@FUSIONS.register("learned")
class Learned(Formula):
    """A weighted sum of scores and their logarithms, boosted trees, and a manual adjustment ``sum_i share_i p_i``.

    The weights are fitted first, with a convex loss; LightGBM (Ke et al. 2017) then fits trees on scores and features
    to the residual, with the number of trees chosen on held-out rows. Both use weighted log loss, so that the fused
    score is the label's log-odds; or the weights are fitted by softmax and the trees by LambdaRank (Burges 2010) or
    another list loss. Shares are 0 by default and shift the result towards an
    objective beyond what the label says.
    """

    class Options(FormulaOptions):
        """Label, weights, inputs and training settings."""

        label: Text = Field(description="Value of showing a candidate: a formula of log columns.")
        weight: Text | None = Field(None, description="Weight of a row: a formula of log columns.")
        loss: Loss = Field(
            "log_loss",
            description="log_loss (labels in [0, 1]), or a loss of the order within requests (labels of at least 0): "
            "lambdarank, softmax, pairwise_logistic, bpr.",
        )
        request: ColumnName | None = Field(
            None, description="Column that identifies requests, for holding out rows and for ranking."
        )
        features: tuple[Name, ...] = Field((), description="Numeric features that the trees read as well.")
        increasing: tuple[Name, ...] = Field((), description="Objectives with a monotone increasing constraint.")
        trees: int = Field(200, ge=1, le=500, description="Maximum trees; cross-validation chooses their number.")
        leaves: int = Field(15, ge=2, le=32, description="Maximum leaves per tree.")
        learning_rate: float = Field(0.05, gt=0, le=1, description="Learning rate.")
        least_rows: int = Field(50, ge=1, description="Minimum rows per leaf.")
        folds: int = Field(5, ge=2, le=20, description="Cross-validation folds over requests.")

        @model_validator(mode="after")
        def _checked(self) -> Self:
            if self.loss != "log_loss" and self.request is None:
                raise ValueError(f"request: is required by {self.loss}, which compares rows of the same request")
            return self

    options: Options
    parameters = (
        Parameter(
            name="share",
            default=0.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the objective's score added to the learned score.",
        ),
    )
    direction = None
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {}
    attribution = "shapley"  # trees combine objectives in arbitrary interactions
    fitted = True

    def __init__(
        self, objectives: tuple[str, ...], options: FormulaOptions | None = None, state: State | None = None
    ) -> None:
        if options is None:
            raise LocatedError("label: is required")
        super().__init__(objectives, options, state)
        for name in self.options.increasing:
            require_known(name, objectives, f"increasing: {name!r} is not an objective")
        for name in self.options.features:
            if name in objectives:
                raise LocatedError(f"features: {name!r} is an objective, whose score the trees read already")
        self.features = self.options.features
        texts = [text for text in (self.options.label, self.options.weight) if text is not None]
        read = [name for text in texts for name in formula(text).names]
        self.columns = tuple(dict.fromkeys(read))
        self.keys = () if self.options.request is None else (self.options.request,)

    @cached_property
    def _trees(self) -> Trees:
        assert self.state is not None  # Fusion.require_fitted
        return Trees(len(self.objectives) + len(self.features), self.state["trees"])

    @cached_property
    def _linear(self) -> Linear:
        assert self.state is not None  # Fusion.require_fitted
        return Linear.from_dict(self.state["linear"])

    def fit(self, candidates: Candidates, log: Mapping[str, Any]) -> State:
        """Fit weights and trees, and measure held-out ranking quality."""
        label, weight, request = self.options.label, self.options.weight, self.options.request
        labels, weights, used = labels_and_weights(label, weight, log, self._largest_label)
        keys = np.arange(len(labels)) if request is None else np.asarray(log[request])
        if keys.dtype == object:  # rows without a request are compared with none
            used &= np.array([key is not None for key in keys], dtype=bool)
        codes = Requests.of(keys[used].astype(str) if keys.dtype == object else keys[used]).codes
        rows = Rows(self.prepare(candidates)[used], labels[used], weights[used], codes)
        model = boost(rows, self._settings)
        return {
            "linear": model.linear.to_dict(),
            "trees": model.trees,
            "held_out": self._held_out(rows, model.held_out),
        }

    def _held_out(self, rows: Rows, scores: Floats) -> dict[str, Any]:
        """Ranking quality of held-out scores [M], compared with the best single objective."""
        requests = None if self.options.request is None else rows.requests
        alone = [measure(rows.labels, one, rows.weights, requests) for one in rows.inputs.T[: len(self.objectives)]]
        best = int(np.argmax(alone))
        return {
            "measure": "AUC" if requests is None else f"NDCG@{AT}",
            "value": measure(rows.labels, scores, rows.weights, requests),
            "best_objective": self.objectives[best],
            "best_objective_value": alone[best],
            "rows": len(rows.labels),
        }

    @property
    def _settings(self) -> Settings:
        return Settings(
            loss=self.options.loss,
            trees=self.options.trees,
            leaves=self.options.leaves,
            learning_rate=self.options.learning_rate,
            least_rows=self.options.least_rows,
            folds=self.options.folds,
            increasing=tuple(self.objectives.index(name) for name in self.options.increasing),
            scores=len(self.objectives),
        )

    @property
    def _largest_label(self) -> float:
        """Largest label that the loss accepts."""
        return 1.0 if self.options.loss == "log_loss" else np.inf

    def prepare(self, candidates: Candidates) -> Floats:
        """Scores and features of the trees [N, T + features]."""
        columns = [candidates.numbers(name)[:, None] for name in self.features]
        return np.concatenate([candidates.scores, *columns], axis=1)

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Scores and features [N, T + features], share [..., T] -> fused scores [..., N]."""
        return _moved(self._learnt(prepared), prepared, parameters["share"])

    def _learnt(self, prepared: Floats) -> Floats:
        """Learned scores [N] of prepared candidates, without shares."""
        return self._linear(prepared[:, : len(self.objectives)]) + self._trees(prepared)

    def sweep(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Iterator[tuple[slice, Floats]]:
        """As for any formula, but with the learned scores computed once for all sets."""
        learnt, share = self._learnt(prepared), parameters["share"]
        tall = max(1, BLOCK // max(len(prepared), 1))
        for p in range(0, len(share), tall):
            chosen = slice(p, min(p + tall, len(share)))
            yield chosen, _moved(learnt, prepared, share[chosen])


def _moved(learnt: Floats, prepared: Floats, share: Floats) -> Floats:
    """Learned scores [N] plus shares [..., T] times scores: [..., N]."""
    total = np.broadcast_to(learnt, (*share.shape[:-1], len(learnt)))
    for i in range(share.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
        total = total + share[..., None, i] * prepared[..., i]
    return np.asarray(total, dtype=np.float64)
