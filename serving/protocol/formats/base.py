"""What every format is: something that reads requests, something that writes answers, or both."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column
from ranker.registry import Registry
from serving.protocol.bounds import Bounds
from serving.protocol.messages import RankRequest
from serving.protocol.validation import RequestChecker

JSON = "application/json"
BY_ROW = f"{JSON}; layout=rows"


class Answer(NamedTuple):
    """A ranking of N candidates, best first; formats write it as it is."""

    facts: Mapping[str, Any]
    """What is said once: the model's version, the fusion, the user."""
    ids: Column
    fused: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float32]]
    explanations: Mapping[str, Any] | None
    """Of the first candidates: arrays by name, or by name and objective; ``None`` where the request asks for none."""


class Opened(NamedTuple):
    """A request before it is known whose schema it has to fit."""

    content: dict[str, Any]
    """What it says by name; of a format that keeps the candidates elsewhere, all but these."""
    rest: Any = None
    """What else the format's own check needs."""


class Reader(Protocol):
    """Reads requests of one media type, in two steps: which model a request is for stands in the request."""

    def open(self, body: bytes, bounds: Bounds) -> Opened:
        """Read a body that keeps within ``bounds``.

        Raises ``RequestError``, and nothing else whatever it holds.
        """

    def check(self, opened: Opened, checker: RequestChecker) -> RankRequest:
        """Check what was opened. Raises ``RequestError`` with every problem found."""


READERS: Registry[type[Reader]] = Registry("media type")
"""By media type, without parameters."""
WRITERS: Registry[Callable[[Answer], bytes]] = Registry("media type")
"""By media type, with the parameters that tell it from others."""
