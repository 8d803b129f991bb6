"""Base types of formats, and the registries of request readers and answer writers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column
from ranker.inference.ranking import ScoredBy
from ranker.registry import Registry
from serving.protocol.bounds import Bounds
from serving.protocol.messages import RankRequest
from serving.protocol.validation import RequestChecker

JSON = "application/json"
BY_ROW = f"{JSON}; layout=rows"


class Answer(NamedTuple):
    """A ranking of N candidates, best first, for a format to write."""

    facts: Mapping[str, Any]
    """Fields that are not per candidate: the model's version, the fusion, the user."""
    ids: Column
    fused: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float32]]
    explanations: Mapping[str, Any] | None
    """Arrays for the first candidates, by name, or by name and objective; ``None`` if the request asks for none."""
    scored_by: list[ScoredBy] | None = None
    """The model that scored each candidate; ``None`` if one scored all."""
    base_place: NDArray[np.intp] | None = None
    """Places before exploration, from 1; ``None`` if the fusion does not explore."""
    propensity: NDArray[np.float64] | None = None
    """Probability of each candidate at its place, given those before it; ``None`` as above."""

    @classmethod
    def empty(cls, facts: Mapping[str, Any], objectives: Iterable[str], *, drawn: bool) -> "Answer":
        """The answer to a request without candidates; ``drawn`` if the fusion explores."""
        none = np.zeros(0)
        scores = {name: np.zeros(0, np.float32) for name in objectives}
        places = (np.zeros(0, np.intp), none) if drawn else (None, None)
        return cls(facts, [], none, scores, None, None, *places)

    @property
    def drawn(self) -> dict[str, NDArray[Any]]:
        """``base_place`` and ``propensity`` by name, if the fusion explores."""
        found = {"base_place": self.base_place, "propensity": self.propensity}
        return {name: values for name, values in found.items() if values is not None}


class Opened(NamedTuple):
    """A parsed request, before its model and schema are known."""

    content: dict[str, Any]
    """The request's fields by name, without the candidates if the format stores them elsewhere."""
    rest: Any = None
    """Further data for the format's own ``check``."""


class Reader(Protocol):
    """Reads requests of one media type, in two steps, since the request itself names its model."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Parse a body within ``bounds``. Raises ``RequestError``, and nothing else for any input."""

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Validate a parsed request. Raises ``RequestError`` with every problem found."""


READERS: Registry[type[Reader]] = Registry("media type")
"""Request readers by media type, without parameters."""
WRITERS: Registry[Callable[[Answer], bytes]] = Registry("media type")
"""Answer writers by media type, with the parameters that distinguish it."""
