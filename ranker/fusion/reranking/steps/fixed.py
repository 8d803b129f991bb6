"""Fixed slots: named candidates, or the best that match a predicate, at given places."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.fusion.base import Parameter
from ranker.fusion.predicates import Predicate, predicate
from ranker.fusion.reranking.base import (
    STEPS,
    Constraint,
    Indices,
    Readable,
    Request,
    RerankError,
    check_where,
)
from ranker.fusion.reranking.placing import Mask, Placing
from ranker.registry import alternatives

MOST_SLOTS = 100
SLOT = Parameter(
    name="slot", default=1, low=1, high=MOST_SLOTS, per_objective=False, integer=True,
    description="A place, from 1.",
)  # fmt: skip
FREE = -1
"""Label of candidates without a slot."""
Slot = Annotated[int, Field(ge=1, le=MOST_SLOTS)]


@STEPS.register("fixed")
class Fixed(Constraint):
    """Puts candidates at fixed places: the best that match ``where``, in order, or those that a request names by id."""

    kind: Literal["fixed"]
    where: Predicate | None = Field(
        None, description="A predicate over objectives and features, such as `is_sponsored == 1`."
    )
    slots: tuple[Slot, ...] = Field(
        (),
        description="Places, from 1, of the candidates that match `where`: the best at the first of them, and so on.",
    )
    candidates: dict[str, Slot] = Field(
        default_factory=dict,
        description="Place, from 1, by candidate id; mostly sent by requests. It replaces `where` and `slots`.",
    )

    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for slots in (self.slots, tuple(self.candidates.values())):
            if len(set(slots)) != len(slots):
                raise ValueError(f"slots must be distinct, got {list(slots)}")
        if (self.where is None) != (not self.slots):
            raise ValueError("set both where and slots, or neither of them")
        return self

    def reads(self, readable: Readable) -> tuple[str, ...]:
        """What the predicate reads, and the candidate id if candidates are named."""
        if self.candidates:
            return () if readable.candidate_id is None else (readable.candidate_id,)
        return () if self.where is None else predicate(self.where).names

    @property
    def facts(self) -> dict[str, Any]:
        """The step as answers tell it."""
        return {"kind": self.kind, **({"candidates": self.candidates} if self.candidates else {"slots": self.slots})}

    def check(self, readable: Readable) -> None:
        """Require objectives and features of one value, and a candidate id for named candidates."""
        if self.where is not None:
            check_where(self.where, readable)
        elif readable.candidate_id is None:
            raise RerankError("where is required, as the schema has no candidate_id by which requests name candidates")
        if self.candidates and readable.candidate_id is None:
            raise RerankError("candidates: the schema has no candidate_id by which they are named")

    def replaced(self, given: Mapping[str, Any]) -> Self:
        """Return the step with other ``slots`` or ``candidates``. Raises ``RerankError``."""
        if not isinstance(given, Mapping):
            raise RerankError(f"must be true, false, or an object with slots or candidates, got {given!r:.80}")
        changed: dict[str, Any] = {}
        for name, value in given.items():
            if name == "slots" and self.where is not None:
                if not isinstance(value, list | tuple) or not value:
                    raise RerankError(f"slots must be a list of places from 1, got {value!r:.80}")
                changed["slots"] = tuple(SLOT.checked(slot, owner="a slot") for slot in value)
            elif name == "candidates":
                if not isinstance(value, Mapping):
                    raise RerankError(f"candidates must map candidate ids to places from 1, got {value!r:.80}")
                changed["candidates"] = {
                    str(key): SLOT.checked(slot, owner=f"the slot of {key!r:.80}") for key, slot in value.items()
                }
            else:
                known = [*(["slots"] if self.where is not None else []), "candidates"]
                raise RerankError(f"fixed has no parameter {name!r:.80}{alternatives(name, known)}")
        return self.with_values(changed)

    def reach(self, request: Request, order: Indices) -> Indices:
        """The candidates that get a slot, and enough others for the places between slots."""
        pins = self._pins(request, order)
        return np.unique(np.append(order[: max(pins.values(), default=0)], order[list(pins)])).astype(np.intp)

    def placing(self, request: Request, places: Indices) -> Placing:
        """The slots of candidates."""
        pins = self._pins(request, places)
        labels = [FREE] * len(places)
        for candidate, slot in pins.items():
            labels[candidate] = slot - 1
        asked = len(self.candidates or self.slots)
        return Pinned(labels, asked)

    def _pins(self, request: Request, places: Indices) -> dict[int, int]:
        """Slot, from 1, by index in ``places``."""
        if self.candidates:
            assert request.readable.candidate_id is not None, "checked when the fusion is built"
            ids = request.values(request.readable.candidate_id, places).tolist()
            found: dict[int, int] = {}
            for i, value in enumerate(ids):
                key = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
                if key in self.candidates and self.candidates[key] not in found.values():
                    found[i] = self.candidates[key]
            return found
        if self.where is None:
            return {}
        best = np.flatnonzero(request.matching(self.where, places)).tolist()
        return dict(zip(best, sorted(self.slots), strict=False))


class Pinned(Placing):
    """Candidates with a label >= 0 stand at that place, and no others do."""

    def __init__(self, labels: Sequence[int], asked: int) -> None:
        self._slots = {label for label in labels if FREE < label < len(labels)}
        self.labels = [label if label in self._slots else FREE for label in labels]
        self._asked = asked
        self.places = self.horizon = max(self._slots, default=-1) + 1
        self.relaxed = len(self._slots) < asked

    def reset(self) -> None:
        """Nothing is counted."""

    def fitting(self, place: int) -> Mask:
        """The candidate of a slot, and at other places those without one."""
        fitting = np.zeros(self.places + 1, dtype=bool)
        fitting[place if place in self._slots else FREE] = True
        return fitting

    def put(self, label: int, place: int) -> None:
        """Nothing is counted."""

    def take_back(self, label: int, place: int) -> None:
        """Nothing is counted."""

    def broken(self, labels: Sequence[int]) -> str | None:
        """How many slots do not hold their candidate."""
        held = sum(place < len(labels) and labels[place] == place for place in self._slots)
        return None if held == self._asked else f"{held} of {self._asked} slots hold their candidate"
