"""Record gate weights while a model runs, without changing the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from ranker.lazy_tensorflow import tf


class GateReading(NamedTuple):
    """One gate's weights [B, K] on one batch, and the outputs of its K experts, each [B, H]."""

    gate: str
    experts: tuple[str, ...]
    weights: tf.Tensor
    outputs: Sequence[tf.Tensor]


_SEEN: ContextVar[list[GateReading] | None] = ContextVar("gates_seen", default=None)


@contextmanager
def watching() -> Iterator[list[GateReading]]:
    """Collect the readings of all gates that run inside the ``with`` block, in order of execution.

    The model must run eagerly: inside a ``tf.function`` readings would be symbolic.
    """
    seen: list[GateReading] = []
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def tell(reading: GateReading) -> None:
    """Add a reading to the innermost ``watching`` block, if any."""
    seen = _SEEN.get()
    if seen is not None:
        seen.append(reading)
