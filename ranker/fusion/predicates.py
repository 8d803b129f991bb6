"""Predicates over objectives and features, such as ``item_age_days < 2``: those of rules and of re-ranking steps."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from ranker.expressions import Expression, ExpressionError, parse
from ranker.fusion.base import FusionError
from ranker.fusion.checks import at, require_known


@lru_cache(maxsize=1024)
def predicate(text: str) -> Expression:
    """Parse a predicate; cached, since rules run in every request."""
    return parse(text)


def _parsed(text: str) -> str:
    predicate(text)
    return text


Predicate = Annotated[str, AfterValidator(_parsed)]
"""Text that :func:`predicate` takes."""


def check_predicate(text: str, known: Sequence[str]) -> None:
    """Raise ``FusionError``, beginning with ``where``, for a name that is not ``known``."""
    with at("where"):
        for name in predicate(text).names:
            require_known(name, known, f"{name!r} is not an objective or feature of one value")


def matching(text: str, values: Mapping[str, Any], count: int) -> NDArray[np.bool_]:
    """Mask [N] of the ``count`` candidates that match a predicate; unknown counts as false.

    ``values`` has the names that it reads, [N] or a single value each. Raises ``FusionError`` for values of a wrong
    type.
    """
    try:
        held = predicate(text).evaluate(values)
    except ExpressionError as error:
        raise FusionError(str(error)) from None
    return np.broadcast_to(~np.isnan(held) & (held != 0), count)
