"""The two sides of an input, context and candidate, kept separate from the log to the served graph."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ranker.lazy_tensorflow import tf


class Sides(NamedTuple):
    """Context [B, C] and candidate [B, I] inputs; in serving the context is [1, C] for all N candidates."""

    context: tf.Tensor
    candidate: tf.Tensor


Inputs: TypeAlias = Sides | list[Sides]
"""Inputs of a trunk: the sides, or one pair of sides per embedding set."""


def join(sides: Sides) -> tf.Tensor:
    """Concatenate both sides to [B, C + I]; a single context row is repeated for every candidate."""
    rows = tf.maximum(tf.shape(sides.context)[0], tf.shape(sides.candidate)[0])
    return tf.concat([_repeat(sides.context, rows), _repeat(sides.candidate, rows)], axis=1)


def _repeat(side: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return tf.broadcast_to(side, tf.stack([rows, side.shape[1]]))
