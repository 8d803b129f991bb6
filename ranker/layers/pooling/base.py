"""What every pooling is."""

from __future__ import annotations

from ranker.encoding.layout import IdField
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import Registry


class Pooling(Layer):
    """Embedded lists to one vector a row.

    Those with a target (``IdField.target``) weigh the list by the candidate: their result is the candidate's, one row
    for each, even where the list is the context's single row.
    """

    def __init__(self, field: IdField, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def call(self, rows: tf.Tensor, mask: tf.Tensor, target: tf.Tensor | None = None) -> tf.Tensor:
        """Rows [B or 1, L, D], mask [B or 1, L, 1] of 0 and 1, and perhaps a target [B, D], to [B, D]."""
        raise NotImplementedError


POOLINGS: Registry[type[Pooling]] = Registry("pooling")
