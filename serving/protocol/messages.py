"""What requests and answers hold, whatever format they come and go in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ranker.encoding import Column

Number = Annotated[float, Field(allow_inf_nan=False)]
Integer = Annotated[int, Field(gt=-(2**63), lt=2**63)]


def _how_many(value: Any) -> Any:
    if not isinstance(value, bool | int) or (not isinstance(value, bool) and value < 1):
        raise ValueError("must be true, false, or a whole number of at least 1: explain so many of the best")
    return value


UserId = Integer | Annotated[str, Field(min_length=1, max_length=512)]
Explained = Annotated[
    bool | int,
    BeforeValidator(_how_many),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1}]}),
]


class Message(BaseModel):
    """Base of every message: closed, and of exactly the types it says."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class FusionChoice(Message):
    """Another fusion, or other parameters of the default one."""

    name: str | None = Field(
        None, description="One of the artifact's fusions, or a formula (see /model); by default `default`."
    )
    parameters: dict[str, Number | dict[str, Number]] = Field(
        default_factory=dict, description="By name: one number for all objectives, or numbers by objective."
    )


class FusionUsed(Message):
    """The fusion that ranked: what a request calls it, its formula, and all of its parameters."""

    name: str
    formula: str
    parameters: dict[str, float | dict[str, float]]


class ExperimentUsed(Message):
    """Where the request stands in the experiment."""

    name: str
    group: str | None
    outside: str | None = Field(
        None,
        description="Why there is no group: `chosen` (the request names a model or a fusion), `no_unit` (it names no "
        "user), `not_covered` (its user does not take part).",
    )


class Explanations(Message):
    """Why candidates rank where they do; all lists are in ranked order.

    Without an objective means: as if all candidates had what the middle one of the request has on it.
    """

    baseline: list[float] = Field(description="What the formula gives a candidate in the middle of every objective.")
    contributions: dict[str, list[float]] = Field(
        description="By objective: what it gives the formula's score, before rules: the score less the one without the "
        "objective, or its Shapley value where the fusion is learned."
    )
    rank_without: dict[str, list[int]] = Field(
        description="By objective: the place among all candidates without the objective, from 1."
    )
    rules: dict[str, list[bool]] = Field(description="By rule: whether it applies to the candidate.")


class UserFound(Message):
    """What became of the user that a request named."""

    id: int | str
    found: bool
    reason: str | None = Field(
        None, description="Where not found: `unknown`, `timeout`, `unavailable` or `invalid`; defaults were used then."
    )
    invalid: list[str] | None = Field(None, description="Stored features of a wrong type; they count as missing.")


class Ranking(Message):
    """Candidates in ranked order, best first; all lists are in that order."""

    model: str = Field(description="Name of the model that ranked.")
    model_version: int = Field(description="Number of its artifact.")
    fusion: FusionUsed
    experiment: ExperimentUsed | None = Field(description="Null where none is on.")
    ids: list[int | str | None] = Field(description="Ids of the candidates, or their positions if they have none.")
    fused: list[float] = Field(description="The score that ranks.")
    scores: dict[str, list[float]] = Field(description="Each objective's score.")
    explanations: Explanations | None = Field(None, description="Of the first candidates, where the request asks.")
    unknown_ids: list[int | str | None] | None = Field(
        None, description="Of a request by id alone: ids that the items do not have."
    )
    user: UserFound | None = Field(None, description="Of a request that names a user.")


class Explanation(Message):
    """Why one candidate ranks where it does, as in :class:`Explanations`."""

    baseline: float
    contributions: dict[str, float]
    rank_without: dict[str, int]
    rules: dict[str, bool]


class RankedCandidate(Message):
    """One candidate of a ranking by rows."""

    id: int | str | None
    fused: float
    scores: dict[str, float]
    explanation: Explanation | None = Field(None, description="Of the first candidates, where the request asks.")


class RankingByRow(Message):
    """Candidates in ranked order, best first; all else as in :class:`Ranking`."""

    model: str
    model_version: int
    fusion: FusionUsed
    experiment: ExperimentUsed | None
    candidates: list[RankedCandidate]
    unknown_ids: list[int | str | None] | None = None
    user: UserFound | None = None


class Problem(Message):
    """One thing that is wrong with a request."""

    field: str
    reason: str


class Problems(Message):
    """Answer to a request that cannot be ranked."""

    detail: list[Problem]


@dataclass(frozen=True)
class RankRequest:
    """A checked request: columns by name, as the encoder takes them."""

    context: Mapping[str, list[Any]]
    candidates: Mapping[str, Column]
    top_k: int | None = None
    fusion: FusionChoice | None = None
    explain: bool | int = False
    by_id: bool = False
    """Whether the candidates are ids alone, to be looked up."""
    user: int | str | None = None
    """Whose stored features stand for columns that ``context`` lacks."""
