"""Batches of encoded rows as a dataset that is read ahead."""

from collections.abc import Iterator, Sequence

import tensorflow as tf

from training.config.training import Training
from training.data.batches import Batch, EncodedRows
from training.data.readers import Order, batches_of


def signature_of(batch: Batch) -> dict[str, tf.TensorSpec]:
    """Shapes and types of the arrays of batches like this one, of any number of rows, by name."""
    return {n: tf.TensorSpec([None, *a.shape[1:]], tf.as_dtype(a.dtype)) for n, a in batch.items()}


def dataset(
    rows: EncodedRows, settings: Training, epoch: int, skip: int, readers: int, own: Sequence[int] | None = None
) -> tf.data.Dataset:
    """One epoch's shuffled batches from step ``skip`` on; ``settings`` are the config's ``training``.

    A batch has the parts of the readers ``own``, by default of all.
    """
    order = Order(settings.batch_size, settings.shuffle_rows, settings.seed, epoch, skip)

    def batches() -> Iterator[Batch]:
        return batches_of(rows, order, readers, own)

    return tf.data.Dataset.from_generator(batches, output_signature=signature_of(next(rows.chunks()))).prefetch(2)
