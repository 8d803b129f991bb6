"""Request and answer messages, independent of the wire format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ranker.encoding import Column

Number = Annotated[float, Field(allow_inf_nan=False)]
Integer = Annotated[int, Field(gt=-(2**63), lt=2**63)]


def _checked_explain(value: Any) -> Any:
    if not isinstance(value, bool | int) or (not isinstance(value, bool) and value < 1):
        raise ValueError(
            "must be true, false, or a whole number of at least 1: the number of best candidates to explain"
        )
    return value


def _checked_cascade(value: Any) -> Any:
    """Return a choice as a boolean, a share or ``None``."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise ValueError('must be true, false, or an object with the share to keep, such as {"keep": 0.25}')
    if unknown := [key for key in value if key != "keep"]:
        raise ValueError(f"may hold only keep, not {unknown[0]!s:.40}")
    keep = value.get("keep")
    if keep is None:
        return True
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 < keep <= 1:
        raise ValueError("keep must be a number above 0 and at most 1: the share that the full model scores")
    return float(keep)


def _checked_rerank(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, dict) or not all(isinstance(change, bool | dict) for change in value.values()):
        raise ValueError(
            'must be true, false, or an object by step, such as {"diverse": false} or {"diverse": {"lambda": 0.5}}'
        )
    return value


def _checked_explore(value: Any) -> Any:
    if value is not None and not isinstance(value, bool | dict):
        raise ValueError('must be true, false, or an object of parameters, such as {"first": 5}')
    return value


UserId = Integer | Annotated[str, Field(min_length=1, max_length=512)]
Explained = Annotated[
    bool | int,
    BeforeValidator(_checked_explain),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1}]}),
]
_KEEP = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_KEEPS = {"type": "object", "properties": {"keep": _KEEP}, "additionalProperties": False}
Cascading = Annotated[
    bool | float | None,
    BeforeValidator(_checked_cascade),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, _KEEPS, {"type": "null"}]}),
]
"""Whether to rank in two stages: a share to keep, ``True`` for the artifact's, ``None`` for the service's choice."""


Reranking = Annotated[
    bool | dict[str, Any] | None,
    BeforeValidator(_checked_rerank),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "object", "additionalProperties": {"anyOf": [{"type": "boolean"}, {"type": "object"}]}},
                {"type": "null"},
            ]
        }
    ),
]
"""Whether to re-rank, or by step whether to run it, or its parameters."""
Exploring = Annotated[
    bool | dict[str, Any] | None,
    BeforeValidator(_checked_explore),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "object"}, {"type": "null"}]}),
]
"""Whether to explore, or parameters of exploration."""


class Message(BaseModel):
    """Base of every message: rejects unknown fields and does not convert types."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class FusionChoice(Message):
    """A fusion other than the default, or other parameters for it."""

    name: str | None = Field(
        None, description="A fusion of the artifact, or a formula (see /model); default: `default`."
    )
    parameters: dict[str, Number | dict[str, Number]] = Field(
        default_factory=dict, description="Parameters by name: one number for all objectives, or one per objective."
    )
    rerank: Reranking = Field(
        None,
        description="false: no re-ranking. By step: false to leave it out, or parameters within their bounds (see "
        "/model).",
    )
    explore: Exploring = Field(
        None,
        description="false: no exploration. An object: parameters of it within their bounds (see /model). A fusion "
        "that does not explore cannot be asked to.",
    )


class CascadeUsed(Message):
    """The two stages that ranked the candidates."""

    keep: float = Field(description="Share of the candidates to be scored by the full model.")
    full: int = Field(description="Candidates that the full model scored: at least 50, and 4 for each of `top_k`.")
    student: int = Field(description="Other candidates, which have the student's scores and rank behind.")


class FusionUsed(Message):
    """The fusion that ranked the candidates: its name in requests, its formula, and all parameters."""

    name: str
    formula: str
    parameters: dict[str, float | dict[str, float]]
    rerank: dict[str, dict[str, Any]] | None = Field(
        None, description="Re-ranking steps by name: their kind and parameters, if there are any."
    )
    explore: dict[str, Any] | None = Field(
        None, description="Exploration: its kind and parameters, if the fusion explores."
    )


class FusedCost(Message):
    """Mean fused score of the first places before and after re-ranking."""

    before: float
    after: float
    lost: float


class DistanceGain(Message):
    """Mean distance between the candidates of the first places before and after re-ranking."""

    before: float
    after: float
    gained: float


class RerankingCost(Message):
    """What re-ranking cost and gained in the first places."""

    places: int = Field(
        description="Number of first places: `top_k`, or else 10; at most 100 and the candidates moved."
    )
    fused: FusedCost
    distance: dict[str, DistanceGain] = Field(description="By features that a step compares candidates by.")
    gave_way: dict[str, str] = Field(description="Constraints that do not hold: what is broken, and why.")


class ExperimentUsed(Message):
    """The request's assignment in the experiment."""

    name: str
    group: str | None
    outside: str | None = Field(
        None,
        description="Why there is no group: `chosen` (the request names a model or a fusion), `no_unit` (it names no "
        "user), or `not_covered` (its user is not in the experiment).",
    )


class Explanations(Message):
    """Why candidates have their ranks; all lists are in ranked order.

    "Without an objective" means that every candidate gets the request's median score on it.
    """

    baseline: list[float] = Field(description="The formula's score at the median of every objective.")
    contributions: dict[str, list[float]] = Field(
        description="Each objective's contribution to the formula's score, before rules: the score minus the score "
        "without the objective, or its Shapley value if the fusion is learned."
    )
    rank_without: dict[str, list[int]] = Field(
        description="The candidate's rank among all candidates, from 1, without each objective and without exploration."
    )
    rules: dict[str, list[bool]] = Field(description="Whether each rule applies to the candidate.")
    moved_by: dict[str, list[int]] = Field(
        description="How many places up each re-ranking step moved the candidate, down if negative; exploration "
        "follows, from `base_place`."
    )


class UserFound(Message):
    """Outcome of looking up the user that a request named."""

    id: int | str
    found: bool
    reason: str | None = Field(
        None, description="Why defaults were used: `unknown`, `timeout`, `unavailable` or `invalid`."
    )
    invalid: list[str] | None = Field(None, description="Stored features of the wrong type, which count as missing.")


class Ranking(Message):
    """The ranking; all lists are in ranked order, best first."""

    model: str = Field(description="Name of the model that ranked the candidates.")
    model_version: int = Field(description="Version of the model.")
    fusion: FusionUsed
    experiment: ExperimentUsed | None = Field(description="Null if there is no experiment.")
    ids: list[int | str | None] = Field(description="Ids of the candidates, or their positions if they have none.")
    fused: list[float] = Field(
        description="The fused score, which determines the order before re-ranking and exploration."
    )
    scores: dict[str, list[float]] = Field(description="Each objective's scores.")
    explanations: Explanations | None = Field(
        None, description="Explanations of the first candidates, if the request asks for them."
    )
    reranking: RerankingCost | None = Field(
        None, description="What re-ranking cost, if the fusion re-ranks and the request asks for explanations."
    )
    cascade: CascadeUsed | None = Field(None, description="Set if candidates were ranked in two stages.")
    scored_by: list[Literal["full", "student"]] | None = Field(
        None,
        description="The model that scored each candidate, in two stages. Those of the student rank behind, so `fused` "
        "descends within each part.",
    )
    base_place: list[int] | None = Field(
        None, description="Each candidate's place before exploration, from 1, if the fusion explores."
    )
    propensity: list[float] | None = Field(
        None,
        description="Probability of each candidate at its place, given the candidates at the places before it, if the "
        "fusion explores. Their product is the probability of the list. The seed is the `X-Request-ID`.",
    )
    unknown_ids: list[int | str | None] | None = Field(
        None, description="Unknown item ids, if the request sends ids alone."
    )
    user: UserFound | None = Field(None, description="Outcome of the user look-up, if the request names a user.")


class Explanation(Message):
    """Why one candidate has its rank, as in :class:`Explanations`."""

    baseline: float
    contributions: dict[str, float]
    rank_without: dict[str, int]
    rules: dict[str, bool]
    moved_by: dict[str, int]


class RankedCandidate(Message):
    """One candidate of a ranking by rows."""

    id: int | str | None
    fused: float
    scores: dict[str, float]
    scored_by: Literal["full", "student"] | None = Field(None, description="Set if ranked in two stages.")
    base_place: int | None = Field(None, description="Place before exploration, from 1, if the fusion explores.")
    propensity: float | None = Field(
        None, description="Probability of the candidate at its place, given those before it, if the fusion explores."
    )
    explanation: Explanation | None = Field(None, description="Set for the first candidates, if the request asks.")


class RankingByRow(Message):
    """The ranking as rows, best first; the other fields are as in :class:`Ranking`."""

    model: str
    model_version: int
    fusion: FusionUsed
    experiment: ExperimentUsed | None
    reranking: RerankingCost | None = None
    cascade: CascadeUsed | None = None
    candidates: list[RankedCandidate]
    unknown_ids: list[int | str | None] | None = None
    user: UserFound | None = None


class Problem(Message):
    """One problem of a request."""

    field: str
    reason: str


class Problems(Message):
    """The answer to a request that cannot be served."""

    detail: list[Problem]


@dataclass(frozen=True)
class RankRequest:
    """A validated request: columns by name, ready for the encoder."""

    context: Mapping[str, list[Any]]
    candidates: Mapping[str, Column]
    top_k: int | None = None
    fusion: FusionChoice | None = None
    explain: bool | int = False
    by_id: bool = False
    """Whether the candidates are ids alone, to be looked up among the items."""
    cascade: bool | float | None = None
    """Whether to rank in two stages, as :data:`Cascading`."""
    user: int | str | None = None
    """The user whose stored features fill in the columns that ``context`` lacks."""
