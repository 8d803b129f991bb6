"""Interface of re-ranking steps: their config, what they read, and the candidates that they order."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from ranker.config.closed import Closed, Name
from ranker.encoding.kinds.base import Comparable
from ranker.fusion.base import Floats, FusionError, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import at, require_known
from ranker.fusion.predicates import check_predicate, matching, predicate
from ranker.fusion.reranking.placing import Placing
from ranker.registry import Registry

Indices: TypeAlias = NDArray[np.intp]


class RerankError(FusionError):
    """An invalid override of a step, or a step that does not exist; the message says what would be right."""


@dataclass(frozen=True)
class Readable:
    """What steps may read.

    Attributes
    ----------
    objectives
        Names of the T objectives.
    features
        Features of one value, for predicates.
    compared
        Candidate features by which candidates compare, and how.
    candidate_id
        The candidate feature that identifies items, if any.
    """

    objectives: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    compared: Mapping[str, Comparable] = field(default_factory=dict)
    candidate_id: str | None = None


@dataclass(frozen=True, eq=False)
class Request:
    """The candidates of one request that may be moved, in fused order.

    Attributes
    ----------
    readable
        The objectives, and how candidates compare by features.
    candidates
        All candidates of the call, with calibrated scores and features.
    rows
        Rows [M] of the request's candidates in ``candidates``, best first.
    fused
        Fused scores [M] after rules.
    """

    readable: Readable
    candidates: Candidates
    rows: Indices
    fused: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, name: str, places: Indices) -> NDArray[Any]:
        """Values of a feature, or scores of an objective, of the candidates at some places of ``rows``."""
        rows = self.rows[places]
        if name in self.readable.objectives:
            return np.asarray(self.candidates.scores[rows, self.readable.objectives.index(name)])
        value = self.candidates.feature(name)
        return np.asarray(value[rows] if value.ndim else np.broadcast_to(value, len(rows)))

    def matching(self, where: str, places: Indices) -> NDArray[np.bool_]:
        """Mask of the candidates at some places that match a predicate."""
        values = {name: self.values(name, places) for name in predicate(where).names}
        return matching(where, values, len(places))


class Step(Closed, ABC):
    """A step of re-ranking, as in a config.

    Attributes
    ----------
    parameters
        Numbers that a request may override and a search may vary, within their bounds.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    kind: Any

    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @abstractmethod
    def reads(self, readable: Readable) -> tuple[str, ...]:
        """Objectives and features that it reads."""

    @property
    def compared(self) -> tuple[str, ...]:
        """Features by which it compares candidates; they define the distances of its cost."""
        return ()

    @abstractmethod
    def check(self, readable: Readable) -> None:
        """Raise ``FusionError``, beginning with the key, for a name that it may not read."""

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        for parameter in self.parameters:
            if (value := self.number(parameter.name)) is not None:
                parameter.checked(value, owner=parameter.name)
        return self

    def number(self, name: str) -> float | None:
        """Value of a parameter; ``None`` if it is not set."""
        value: float | None = getattr(self, f"{name}_" if iskeyword(name) else name)
        return value

    @property
    def numbers(self) -> dict[str, float]:
        """Values of the parameters that are set."""
        found = {parameter.name: self.number(parameter.name) for parameter in self.parameters}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def facts(self) -> dict[str, Any]:
        """The step as answers tell it: its kind, and its parameters."""
        return {"kind": self.kind, **self.numbers}

    def replaced(self, given: Mapping[str, Any]) -> Self:
        """Return the step with some parameters replaced. Raises ``RerankError``, beginning with the parameter."""
        if not isinstance(given, Mapping):
            raise RerankError(f"must be true, false, or an object of parameters, got {given!r:.80}")
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            require_known(name, list(known), f"{self.kind} has no parameter {name!r:.80}")
            known[name].checked(value, owner=f"{name}")
        return self.with_values(given)

    def with_values(self, given: Mapping[str, Any]) -> Self:
        """Return the step with checked values of some fields. Raises ``RerankError`` if they exclude each other."""
        try:
            return type(self).model_validate({**self.model_dump(by_alias=True), **given})
        except ValidationError as error:
            raise RerankError(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")) from None


STEPS: Registry[type[Step]] = Registry("re-ranking step")

FIRST = Parameter(
    name="first", default=20, low=1, high=100, per_objective=False, integer=True,
    affects_order=False, description="Places that the step fills; the others follow in fused order.",
)  # fmt: skip
CONSIDER = Parameter(
    name="consider", default=200, low=1, high=1000, per_objective=False, integer=True,
    affects_order=False, description="Candidates that the step looks at, from the top; the rest follow.",
)  # fmt: skip


class Diversifier(Step):
    """A step that picks candidates one by one, for their relevance and for how they differ from those picked."""

    of: Name | tuple[Name, ...] = Field(description="Candidate feature, or features, by which candidates are similar.")
    relevance: Literal["score", "rank"] = Field(
        "score",
        description="score: fused scores scaled to [0, 1] over the candidates considered. rank: 1 for the best to 0 "
        "for the last, equal ones alike, which no increasing map of the fused score changes.",
    )
    first: int = Field(20, description=FIRST.description)
    consider: int = Field(200, description=CONSIDER.description)

    @property
    def compared(self) -> tuple[str, ...]:
        """The features of ``of``."""
        return (self.of,) if isinstance(self.of, str) else self.of

    def reads(self, readable: Readable) -> tuple[str, ...]:
        """The features of ``of``."""
        del readable
        return self.compared

    @field_validator("of")
    @classmethod
    def _distinct(cls, of: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not isinstance(of, str) and (not of or len(set(of)) != len(of)):
            raise ValueError(f"must name one or more distinct features, got {list(of)}")
        return of

    def check(self, readable: Readable) -> None:
        """Require features by which candidates compare."""
        with at("of"):
            for name in self.compared:
                require_comparable(name, readable)

    @abstractmethod
    def picks(self, request: Request, places: Indices) -> Indices:
        """The best places, in order: at most ``first`` of those given, which are in the current order."""


class Constraint(Step):
    """A step that bounds which candidates may be at which places."""

    @abstractmethod
    def reach(self, request: Request, order: Indices) -> Indices:
        """Places, in the order's order, of the candidates that it looks at."""

    @abstractmethod
    def placing(self, request: Request, places: Indices) -> Placing:
        """What it asks of the candidates at some places, which are in the current order."""


class Considering(Constraint):
    """A constraint over the first ``consider`` candidates."""

    consider: int = Field(200, description=CONSIDER.description)

    def reach(self, request: Request, order: Indices) -> Indices:
        """The first of the order."""
        del request
        return order[: self.consider]


def require_comparable(name: str, readable: Readable) -> None:
    """Raise ``FusionError`` unless candidates compare by a feature."""
    require_known(
        name,
        list(readable.compared),
        f"{name!r} is not a categorical, numeric, multi or dense candidate feature",
    )


def check_where(where: str, readable: Readable) -> None:
    """Raise ``FusionError``, beginning with ``where``, for a name in a predicate that is not known."""
    check_predicate(where, [*readable.objectives, *readable.features])
