"""Base types of formats, and the registries of request readers and answer writers."""

from collections.abc import Callable, Mapping
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
