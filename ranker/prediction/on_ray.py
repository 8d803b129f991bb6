"""The core of a prediction on a Ray cluster: tasks read blocks of a log, and an actor pool scores them."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ranker.cluster.session import Cluster
from ranker.cluster.shipped import Shipped
from ranker.cluster.stream import results
from ranker.log_files.chunks import ArrowChunk
from ranker.log_files.errors import DataError
from ranker.log_files.lists import Block, ListKeys, SeenLists, whole_lists
from ranker.log_files.log_reader import Log
from ranker.log_files.spans import Span, span_blocks
from ranker.prediction.options import PredictOptions
from ranker.prediction.pieces import cut
from ranker.prediction.predictor import Predicted, Predictor
from ranker.prediction.wire import Keys, PackedBlock, table_bytes, table_of

ITEM = 65_536
"""Fewest rows that Ray moves at a time: several whole blocks, as each item costs the driver milliseconds."""
Blocks = list[PackedBlock]
Results = list[tuple[Predicted, Keys | None]]
"""Of each block: results, with the table as a stream, and keys of lists."""


class Job(NamedTuple):
    """What all blocks have in common: names and options, the results' schema, and versions that results depend on."""

    shipped: Shipped
    options: PredictOptions
    schema: pa.Schema
    versions: dict[str, str]


class Source(NamedTuple):
    """A log and the spans that are read, the first from row ``start`` of the log on, in pieces of ``most`` rows."""

    log: Log
    spans: tuple[Span, ...]
    columns: tuple[str, ...]
    keep: tuple[str, ...]
    keys: ListKeys | None
    start: int
    most: int

    @classmethod
    def of(cls, log: Log, predictor: Predictor, start: int, most: int) -> "Source":
        """The spans of a log that have rows from ``start`` on."""
        spans = log.spans(log.text_rows() if start else None)
        kept = [s for s, after in zip(spans, [*spans[1:], None], strict=True) if after is None or after.number > start]
        keys = predictor.list_keys() if predictor.list_by else None
        return cls(log, tuple(kept), tuple(predictor.columns), predictor.options.copied, keys, start, most)

    def read(self, index: int) -> Iterator[Blocks]:
        """The blocks of a span, some at a time. Raises ``DataError``, after the blocks before."""
        waiting: Blocks = []
        try:
            for block in self._blocks(index):
                waiting.append(block)
                if sum(chunk.rows for one in waiting for chunk in one.chunks) >= ITEM:
                    yield waiting
                    waiting = []
        except DataError:
            if waiting:
                yield waiting
            raise
        if waiting:
            yield waiting

    def _blocks(self, index: int) -> Iterator[PackedBlock]:
        if self.keys is None:
            for piece in self._pieces(self.spans[index]):
                yield PackedBlock.of(Block([piece]))
            return
        for block in span_blocks(self._pieces, self.spans, index, self.keys):
            yield PackedBlock.of(block, self._keys_of(self.keys, block))

    def _pieces(self, span: Span) -> Iterator[ArrowChunk]:
        try:
            chunks = self.log.span_chunks(span, self.columns, keep=self.keep)
            yield from cut(chunks, self.start if span == self.spans[0] else 0, self.most)
        except DataError as error:
            path = self.log.paths()[span.file]
            if os.path.isabs(path) and not Path(path).exists():
                raise DataError(
                    f"{path}: is not on the machine {socket.gethostname()} of the cluster; data must be at the same "
                    "path on every machine, or at a URL"
                ) from None
            raise error

    def place(self, index: int, blocks: Blocks | None) -> str:
        """Name the file and the rows of blocks, or the file and the first row of a span."""
        if blocks is None:
            span = self.spans[index]
            return f"{self.log.paths()[span.file]}, from row {span.start}"
        first, last = blocks[0].chunks[0], blocks[-1].chunks[-1]
        to = f"{last.first + last.rows - 1}"
        return (
            f"{first.source}, rows {first.first} to {to if first.source == last.source else f'{to} of {last.source}'}"
        )

    def repeated(self) -> None:
        """Raise the ``DataError`` of one process that reads all rows and finds a list that comes back."""
        assert self.keys is not None, "only rows of lists have keys"
        chunks = self.log.arrow_chunks(self.keys.columns)
        for _ in whole_lists(chunks, ListKeys(self.keys.columns, self.keys.option), SeenLists()):
            pass

    @staticmethod
    def _keys_of(keys: ListKeys, block: Block) -> Keys:
        assert block.starts is not None, "blocks of lists are made of whole lists"
        return np.concatenate([keys.of(chunk) for chunk in block.chunks])[block.starts]


class Scorer:
    """Scores blocks in an actor."""

    def __init__(self, job: Job) -> None:
        """Load the artifact. Raises as :class:`Predictor`."""
        self._predictor = Predictor(job.shipped.opened(), job.options)
        self._schema = job.schema

    def __call__(self, blocks: Blocks) -> tuple[Results, DataError | None]:
        """Results of the blocks up to the first with a row that cannot be scored, and the error of that."""
        found: Results = []
        for packed in blocks:
            try:
                predicted = self._predictor.predict(packed.unpacked(), self._schema)
            except DataError as error:
                return found, error
            found.append((predicted._replace(table=table_bytes(predicted.table), ids=dict(predicted.ids)), packed.keys))
        return found, None


def scored_files(cluster: Cluster, job: Job, source: Source, seen: SeenLists) -> Iterator[Predicted]:
    """Results of all blocks in order. Raises ``DataError``, and ``ClusterError`` if the cluster fails.

    ``seen`` has the lists of rows before ``source.start``; a list that comes back is found here, where all are known.
    """
    found = results(cluster, len(source.spans), source.read, Scorer, (job,), source.place, job.versions)
    yield from _checked(found, seen, source.repeated)


def scored_blocks(cluster: Cluster, job: Job, blocks: Sequence[PackedBlock]) -> Iterator[Predicted]:
    """Results of blocks in memory, in order."""
    references = [cluster.ray.put([block]) for block in blocks]

    def read(index: int) -> Iterator[Blocks]:
        yield import_module("ray").get(references[index])

    def place(index: int, _: Any) -> str:
        return f"block {index + 1} of {len(references)}"

    found = results(cluster, len(blocks), read, Scorer, (job,), place, job.versions)
    yield from _checked(found, SeenLists(), lambda: None)


def _checked(
    found: Iterator[tuple[Results, DataError | None]], seen: SeenLists, repeated: Callable[[], None]
) -> Iterator[Predicted]:
    for item, error in found:
        for predicted, keys in item:
            if keys is not None and seen.add(keys) is not None:
                repeated()
            yield predicted._replace(table=table_of(predicted.table))
        if error is not None:
            raise error
