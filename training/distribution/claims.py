"""Which batch a worker trains on next: of its own row groups, and once these are done, of others'."""

from pathlib import Path

import orjson
import tensorflow as tf

from ranker.files import replace_file

CLAIMS = "claims.json"
KEPT = 3
"""Pauses that are remembered: the last checkpoint may be older than the last pause."""
MANY = 2**62


class Claims:
    """Counts of the batches that were taken of each reader in an epoch; created in the scope of the strategy.

    A step whose worker was lost is done by another worker with another batch; the lost one is left out.
    """

    def __init__(self, sizes: list[int], folder: Path | None) -> None:
        self.sizes, self._folder = sizes, folder
        self._taken = [tf.Variable(0, dtype=tf.int64, trainable=False, name=f"taken_{n}") for n in range(len(sizes))]

    def claimed(self, own: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take a batch for worker ``own``: its reader, and its number among the reader's."""
        readers, sizes = len(self.sizes), tf.constant(self.sizes, tf.int64)
        branches = [
            lambda n=number: tf.raw_ops.ResourceCountUpTo(resource=self._taken[n].handle, limit=MANY, T=tf.int64)
            for number in range(readers)
        ]

        def taken_up(tried: tf.Tensor, reader: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
            return (tried < readers) & (number >= sizes[reader])

        def take(tried: tf.Tensor, reader: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            del number
            reader = (own + tried) % readers
            return tried + 1, reader, tf.switch_case(reader, branches)

        start = (tf.constant(0), own % readers, tf.constant(MANY, tf.int64))
        _, reader, number = tf.while_loop(taken_up, take, start)
        # Only after a worker was lost are there more steps than batches left.
        largest = tf.constant(max(range(readers), key=lambda n: self.sizes[n]))
        spare = number >= sizes[reader]
        reader = tf.where(spare, largest, reader)
        return reader, tf.where(spare, number % sizes[largest], number)

    def start(self, epoch: int, step: int) -> None:
        """Begin at a step of an epoch: with the counts of that pause, or as if all readers were equally far."""
        total = sum(self.sizes)
        taken = self._saved().get(f"{epoch}.{step}") if step else [0] * len(self.sizes)
        if taken is None or len(taken) != len(self.sizes):
            taken = [step * size // total for size in self.sizes]
        for variable, count in zip(self._taken, taken, strict=True):
            variable.assign(count)

    def save(self, epoch: int, step: int) -> None:
        """Remember the counts of this pause; no step is under way."""
        if self._folder is None:
            return
        taken = [min(int(variable.numpy()), size) for variable, size in zip(self._taken, self.sizes, strict=True)]
        kept = {**self._saved(), f"{epoch}.{step}": taken}
        recent = dict(list(kept.items())[-KEPT:])
        replace_file(self._folder / CLAIMS, orjson.dumps(recent))

    def _saved(self) -> dict[str, list[int]]:
        try:
            content = (self._folder / CLAIMS).read_bytes() if self._folder is not None else b"{}"
        except FileNotFoundError:
            return {}
        saved: dict[str, list[int]] = orjson.loads(content)
        return saved
