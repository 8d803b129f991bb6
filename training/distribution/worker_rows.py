"""Batches for the steps that a worker runs for the chief: read by the worker itself, from the shared folder of rows."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import tensorflow as tf
from numpy.typing import NDArray

from training.config.training import Training
from training.data.batches import Batch, EncodedRows
from training.data.listed_rows import ListedRows

BATCH, OWN = "ranker/batch", "ranker/own"
"""Names under which a worker's functions are called by the graphs that the chief sends it."""
STREAMS = 2
"""Readers that a worker keeps open: its own, and one whose rows it takes over at the end of an epoch."""


@dataclass(frozen=True)
class Source:
    """What a worker needs to know of the rows and their order; sent to it as text.

    Attributes
    ----------
    listed
        Whether row groups have whole lists, which are never apart.
    readers
        Readers that the row groups are dealt to; each reads its own in a shuffled order.
    """

    folder: str
    scores: str | None
    listed: bool
    readers: int
    batch_size: int
    shuffle_rows: int
    seed: int

    @classmethod
    def of(cls, rows: EncodedRows, settings: Training, readers: int) -> "Source":
        """The source of a training; its paths hold in any working directory."""
        scores = None if rows.scores is None else str(rows.scores.resolve())
        order = settings.batch_size, settings.shuffle_rows, settings.seed
        return cls(str(rows.folder.resolve()), scores, isinstance(rows, ListedRows), readers, *order)

    def text(self) -> bytes:
        """The source as JSON."""
        return orjson.dumps(asdict(self))

    def sizes(self) -> list[int]:
        """Batches of each reader in an epoch."""
        rows = self._rows()
        return [share_of(rows, reader, self.readers).steps(self.batch_size) for reader in range(self.readers)]

    def batches(self, epoch: int, reader: int, skip: int) -> Iterator[Batch]:
        """A reader's batches of an epoch, from ``skip`` on."""
        share = share_of(self._rows(), reader, self.readers)
        return share.batches(self.batch_size, self.shuffle_rows, self.seed, epoch, skip)

    def _rows(self) -> EncodedRows:
        rows = EncodedRows.open(Path(self.folder))
        kind = ListedRows if self.listed else EncodedRows
        return kind(rows.folder, rows.rows, None if self.scores is None else Path(self.scores))


@dataclass(frozen=True)
class RowGroups(EncodedRows):
    """Some chunks of encoded rows, by their ``numbers``."""

    numbers: tuple[int, ...] = ()

    def read(self, chunk: int) -> Batch:
        """One chunk, counted among these."""
        return super().read(self.numbers[chunk])


@dataclass(frozen=True)
class ListedGroups(RowGroups, ListedRows):
    """The same of whole lists."""


def share_of(rows: EncodedRows, reader: int, readers: int) -> RowGroups:
    """Every ``readers``-th chunk, from ``reader`` on."""
    numbers = tuple(range(reader, len(rows.rows), readers))
    kind = ListedGroups if isinstance(rows, ListedRows) else RowGroups
    return kind(rows.folder, tuple(rows.rows[number] for number in numbers), rows.scores, numbers)


class WorkerRows:
    """A worker's open readers."""

    def __init__(self) -> None:
        self._streams: OrderedDict[tuple[bytes, int, int], tuple[Iterator[Batch], int]] = OrderedDict()

    def batch(self, source: bytes, epoch: int, reader: int, number: int) -> list[NDArray[Any]]:
        """The arrays of a reader's batch, in the order of their names."""
        key = (source, epoch, reader)
        stream, at = self._streams.pop(key, (None, 0))
        if stream is None or at > number:
            stream, at = Source(**orjson.loads(source)).batches(epoch, reader, number), number
        for _ in range(number - at):
            next(stream)
        found = next(stream)
        self._streams[key] = (stream, number + 1)
        while len(self._streams) > STREAMS:
            self._streams.popitem(last=False)
        return [np.ascontiguousarray(found[name]) for name in sorted(found)]


def offer(rows: WorkerRows, index: int) -> list[Any]:
    """Let graphs that run in this process call it; returns what must be kept for as long.

    ``tf.numpy_function`` makes up names, which the chief could not know; the table of names itself has no public name.
    """
    from tensorflow.python.ops import script_ops

    def batch(source: bytes, epoch: Any, reader: Any, number: Any) -> list[NDArray[Any]]:
        return rows.batch(bytes(source), int(epoch), int(reader), int(number))

    def own() -> np.int32:
        return np.int32(index)

    script_ops._py_funcs._funcs[BATCH] = batch
    script_ops._py_funcs._funcs[OWN] = own
    return [batch, own]


def own_number() -> tf.Tensor:
    """The place of the worker that runs the step, among the workers."""
    return tf.ensure_shape(tf.raw_ops.PyFunc(input=[], token=OWN, Tout=[tf.int32])[0], [])


def read_batch(
    source: Source, signature: Mapping[str, tf.TensorSpec], epoch: tf.Tensor, reader: tf.Tensor, number: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The batch as tensors, read by the worker that runs the step."""
    names = sorted(signature)
    arguments = [tf.constant(source.text()), epoch, reader, number]
    found = tf.raw_ops.PyFunc(input=arguments, token=BATCH, Tout=[signature[name].dtype for name in names])
    return {name: tf.ensure_shape(array, signature[name].shape) for name, array in zip(names, found, strict=True)}
