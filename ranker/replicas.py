"""Sums over the replicas of a model that step together; with one replica, or outside of a step, nothing is done.

Inside ``tf.distribute``'s replica context every replica has a share of the batch and a copy of each variable. What a
step reads of the whole batch, such as losses and Gramians, is summed here, explicitly; all replicas then compute the
same update, so that their copies stay equal without a further exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ranker.lazy_tensorflow import tf


def count() -> int:
    """Number of replicas in this step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def summed(value: Any) -> Any:
    """The sum of a tensor over replicas, the same in each. For ``IndexedSlices`` the rows of all, without zeros."""
    if count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def all_summed(values: Sequence[Any]) -> list[Any]:
    """Sums over replicas of several tensors at once; ``None`` stays ``None``."""
    present = [value for value in values if value is not None]
    if count() == 1 or not present:
        return list(values)
    sums = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if value is None else next(sums) for value in values]
