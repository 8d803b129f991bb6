"""Sums over the replicas of a model that step together; with one replica, or outside of a step, nothing is done.

Inside ``tf.distribute``'s replica context every replica has a share of the batch and a copy of each variable. What a
step reads of the whole batch, such as losses and Gramians, is summed here, explicitly; all replicas then compute the
same update, so that their copies stay equal without a further exchange. Losses are shares: their sum over replicas is
the loss of the batch, and the sum of their gradients its gradient.

Every replica must ask for the same sums in the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ranker.lazy_tensorflow import tf

Result = TypeVar("Result")


def count() -> int:
    """Number of replicas in this step."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def number() -> Any:
    """The place of this replica among all, from 0, of type int64."""
    if count() == 1:
        return tf.constant(0, tf.int64)
    return tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)


def summed(value: Any) -> Any:
    """The sum of a tensor over replicas, the same in each. For ``IndexedSlices`` the rows of all, without zeros."""
    return all_summed([value])[0]


def all_summed(values: Sequence[Any]) -> list[Any]:
    """Sums over replicas of several tensors at once; ``None`` stays ``None``.

    Dense tensors travel as one vector for each type; of ``IndexedSlices`` only the rows travel, each once.
    """
    sums = list(values)
    if count() == 1:
        return sums
    sparse = [i for i, value in enumerate(sums) if isinstance(value, tf.IndexedSlices)]
    dense: dict[Any, list[int]] = {}
    for i, value in enumerate(sums):
        if value is not None and i not in sparse:
            sums[i] = tf.convert_to_tensor(value)
            dense.setdefault(sums[i].dtype, []).append(i)
    packs = [tf.concat([tf.reshape(sums[i], [-1]) for i in members], axis=0) for members in dense.values()]
    asked = [*packs, *(distinct(sums[i]) for i in sparse)]
    if not asked:
        return sums
    found = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, asked)
    for members, pack in zip(dense.values(), found, strict=False):
        parts = tf.split(pack, [_size(sums[i]) for i in members], num=len(members))
        for i, part in zip(members, parts, strict=True):
            sums[i] = tf.ensure_shape(tf.reshape(part, tf.shape(sums[i])), sums[i].shape)
    for i, rows in zip(sparse, found[len(packs) :], strict=True):
        values = tf.ensure_shape(rows.values, [None, *sums[i].values.shape[1:]])
        sums[i] = tf.IndexedSlices(values, rows.indices, sums[i].dense_shape)
    return sums


def gathered(value: Any) -> Any:
    """The rows of all replicas' tensors, [B, ...] in the order of the replicas; no gradient flows through."""
    if count() == 1:
        return value
    rows = tf.IndexedSlices(value, tf.zeros([tf.shape(value)[0]], tf.int32), tf.shape(value))
    found = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, rows).values
    return tf.ensure_shape(found, [None, *value.shape[1:]])


def once(value: Any) -> Any:
    """A replica's share of something that all replicas compute alike, such as a penalty of parameters."""
    replicas = count()
    return value if replicas == 1 else value / replicas


def distinct(rows: Any) -> Any:
    """``IndexedSlices`` in which each row occurs once."""
    indices, places = tf.unique(rows.indices)
    values = tf.math.unsorted_segment_sum(rows.values, places, tf.size(indices))
    return tf.IndexedSlices(values, indices, rows.dense_shape)


class _Totals(threading.local):
    """The sums that are asked for while a function runs under :func:`together`; replicas run in threads."""

    asked: list[Any] | None = None
    answers: list[Any] | None = None


_totals = _Totals()


def total(value: Any) -> Any:
    """The sum of a scalar over replicas, a constant for gradients; see :func:`together`."""
    if count() == 1:
        return value
    value = tf.stop_gradient(value)
    if _totals.asked is not None:
        _totals.asked.append(value)
        return value
    return tf.stop_gradient(summed(value)) if _totals.answers is None else _totals.answers.pop(0)


def mean(values: Any) -> Any:
    """The mean of a batch's values [B]. On several replicas, their share of it."""
    if count() == 1:
        return tf.reduce_mean(values)
    return tf.math.divide_no_nan(tf.reduce_sum(values), total(tf.cast(tf.size(values), values.dtype)))


def together(compute: Callable[[], Result]) -> Result:
    """The result of a function without side effects, whose every :func:`total` travels in one exchange.

    The function is called twice: first to learn what it asks for, with a graph that nothing reads. No total may depend
    on another.
    """
    if count() == 1 or _totals.asked is not None or _totals.answers is not None:
        return compute()
    asked: list[Any] = []
    _totals.asked = asked
    try:
        compute()
    finally:
        _totals.asked = None
    _totals.answers = [tf.stop_gradient(value) for value in all_summed(asked)]
    try:
        return compute()
    finally:
        _totals.answers = None


def apply(optimizer: Any, updates: Sequence[tuple[Any, Any]]) -> None:
    """Apply pairs of gradient and variable with a Keras optimiser; gradients are sums over replicas already."""
    if count() == 1:
        optimizer.apply_gradients(updates)
    elif isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        optimizer.apply_gradients(updates, experimental_aggregate_gradients=False)
    else:
        optimizer.apply_gradients(updates, skip_gradients_aggregation=True)


def share(batch: Mapping[str, Any], lists: str) -> dict[str, Any]:
    """The rows of a process's batch that are this replica's, of about as many for each of the process's devices.

    Rows follow one another; those of one list, with equal keys in the array named ``lists``, are never apart.
    """
    local = len(tf.distribute.get_strategy().extended.worker_devices)
    if local == 1:
        return dict(batch)
    place = tf.cast(number() % local, tf.int32)
    rows = tf.shape(next(iter(batch.values())))[0]
    bounds = [place * rows // local, (place + 1) * rows // local]
    if lists in batch:
        keys = batch[lists]
        begins = tf.concat([keys[1:] != keys[:-1], [True]], axis=0) | tf.concat([keys[1:] == 0, [True]], axis=0)
        starts = tf.concat([[0], tf.cast(tf.where(begins)[:, 0], tf.int32) + 1], axis=0)
        bounds = [tf.gather(starts, tf.searchsorted(starts, [bound])[0]) for bound in bounds]
    return {name: array[bounds[0] : bounds[1]] for name, array in batch.items()}


def everywhere(step: Callable[..., Any], strategy: Any, lists: str) -> Callable[..., Any]:
    """A step of a batch that every replica of this process takes on its share; returns what the first one returns."""

    def of_share(batch: Mapping[str, Any]) -> Any:
        return step(share(batch, lists))

    def run(batch: Mapping[str, Any]) -> Any:
        results = strategy.run(of_share, args=(batch,))
        return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], results)

    return run


def _size(tensor: Any) -> Any:
    known = tensor.shape.num_elements()
    return tf.size(tensor) if known is None else known
