"""What every format is: something that reads requests, something that writes answers, or both."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column
from ranker.registry import Registry
from serving.checks import RequestChecker
from serving.messages import RankRequest

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


class Reader(Protocol):
    """Reads requests of one media type; may be called from several threads at once."""

    def read(self, body: bytes) -> RankRequest:
        """A body to a checked request. Raises ``RequestError``, and nothing else whatever the body holds."""


READERS: Registry[Callable[[RequestChecker], Reader]] = Registry("media type")
"""By media type, without parameters."""
WRITERS: Registry[Callable[[Answer], bytes]] = Registry("media type")
"""By media type, with the parameters that tell it from others."""
