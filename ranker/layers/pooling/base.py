"""Base class of poolings."""

from __future__ import annotations

from ranker.encoding.layout import IdField
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry


class Pooling(Layer):
    """Pools an embedded list into one vector per row.

    A pooling with a target (``IdField.target``) attends from the candidate to the list. Its output has one row per
    candidate, even if the list is the context's single row.
    """

    def __init__(self, field: IdField, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Pool rows [B or 1, L, D], with a 0/1 mask [B or 1, L, 1] and an optional target [B, D], to [B, D]."""
        raise NotImplementedError


POOLINGS: Registry[type[Pooling]] = Registry("pooling")
