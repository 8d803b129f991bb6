"""Looking at gates while a model runs, without a change to the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from ranker.lazy_tensorflow import tf


class GateReading(NamedTuple):
    """What one gate did with one batch: weights [B, K] of its experts, and their outputs, K times [B, H]."""

    gate: str
    experts: tuple[str, ...]
    weights: tf.Tensor
    outputs: Sequence[tf.Tensor]


_SEEN: ContextVar[list[GateReading] | None] = ContextVar("gates_seen", default=None)


@contextmanager
def watching() -> Iterator[list[GateReading]]:
    """Collect the reading of every gate that mixes experts while the block runs, in the order in which they do.

    The model must run eagerly: inside a ``tf.function`` readings would be symbolic.
    """
    seen: list[GateReading] = []
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def tell(reading: GateReading) -> None:
    """Hand a reading to whoever watches."""
    seen = _SEEN.get()
    if seen is not None:
        seen.append(reading)
