"""Interface of the kinds of exploration: the chances of the candidates that may take the next place."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ranker.config.closed import Closed
from ranker.fusion.base import Floats, FusionError, Parameter
from ranker.fusion.checks import require_known
from ranker.registry import Registry

FIRST = Parameter(
    name="first", default=10, low=1, high=100, per_objective=False, integer=True,
    description="Places that are drawn; the other candidates follow in the order before exploration.",
)  # fmt: skip
MAX_MOVE = Parameter(
    name="max_move", default=10, low=1, high=100, per_objective=False, integer=True,
    description="Most places by which a candidate moves, up or down.",
)  # fmt: skip


class Exploration(Closed, ABC):
    """A kind of exploration, as in a config.

    The places 1 to ``first`` are drawn one after the other. A place takes one of the candidates that are left and that
    are at most ``max_move`` places away from it; a candidate that could not be placed later is placed at once. No
    candidate therefore moves by more than ``max_move`` places.

    Attributes
    ----------
    parameters
        Numbers that a request or a group may override, within their bounds; reports vary the first.
    """

    kind: Any
    first: int = Field(10, description=FIRST.description)
    max_move: int = Field(10, description=MAX_MOVE.description)
    relevance: Literal["score", "rank"] = Field(
        "score",
        description="score: fused scores scaled to [0, 1] over the candidates that may be drawn. rank: 1 for the best "
        "to 0 for the last, equal ones alike.",
    )

    parameters: ClassVar[tuple[Parameter, ...]] = (FIRST, MAX_MOVE)

    @abstractmethod
    def chances(self, relevance: Floats) -> Floats:
        """Probabilities [..., M] that each of M >= 1 candidates is next, summing to 1; leading axes are requests.

        ``relevance`` [..., M] in [0, 1], not increasing, is that of the candidates that may be next, in the order
        before exploration. After re-ranking it is that of their places: of the candidates there by fused scores.
        """

    @property
    def reach(self) -> int:
        """Number of first candidates that may be drawn."""
        return self.first + self.max_move

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        for parameter in self.parameters:
            parameter.checked(getattr(self, parameter.name), owner=parameter.name)
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """The exploration as answers and exposure logs tell it: all its fields."""
        return self.model_dump()

    def replaced(self, given: Mapping[str, Any]) -> Self:
        """Return it with some parameters replaced. Raises ``FusionError``, beginning with the parameter."""
        if not isinstance(given, Mapping):
            raise FusionError(f"must be true, false, or an object of parameters, got {given!r:.80}")
        known = {parameter.name: parameter for parameter in self.parameters}
        values = {}
        for name, value in given.items():
            require_known(name, list(known), f"{self.kind} has no parameter {name!r:.80}")
            values[name] = known[name].checked(value, owner=name)
        try:
            return type(self).model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            raise FusionError(error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")) from None


EXPLORATIONS: Registry[type[Exploration]] = Registry("exploration")
