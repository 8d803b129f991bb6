"""Encoded rows as several streams, each of its own rows, so that each process reads a part of the chunks.

A global batch is the streams' batches one after the other. It does not depend on how many processes share the streams.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.rank_losses import LISTS
from training.data.batches import Batch, EncodedRows, joined, taken
from training.data.listed_rows import ListedRows, dealt, lists_of


class Order(NamedTuple):
    """How an epoch's rows are divided into batches; the fields are those of the config's ``training``."""

    batch_size: int
    shuffle_rows: int
    seed: int
    epoch: int
    skip: int = 0


def steps_of(rows: EncodedRows, batch_size: int, readers: int) -> int:
    """Number of batches of an epoch, the same for every reader."""
    return rows.steps(batch_size) if readers == 1 else -(-len(rows) // batch_size)


def batches_of(rows: EncodedRows, order: Order, readers: int, own: Sequence[int] | None = None) -> Iterator[Batch]:
    """Batches of an epoch from the step ``order.skip`` on, of the readers ``own``, by default all.

    Deterministic given seed, epoch and reader. A reader's batches are all about as large, so a batch has rows of every
    part of the log. With one reader they are those of ``EncodedRows.batches``.
    """
    if readers == 1:
        yield from rows.batches(order.batch_size, order.shuffle_rows, order.seed, order.epoch, order.skip)
        return
    steps = steps_of(rows, order.batch_size, readers)
    streams = [_stream(rows, order, number, readers, steps) for number in (own if own is not None else range(readers))]
    for parts in zip(*streams, strict=True):
        yield joined(list(parts))


class Piece(NamedTuple):
    """A chunk's rows from ``start`` to ``end``."""

    chunk: int
    start: int
    end: int


def pieces(rows: EncodedRows, number: int, readers: int) -> list[Piece]:
    """The part of a reader: a run of the log's rows as long as the others', give or take the rows of one list.

    Two readers share a chunk only where the run of one ends and that of the next begins.
    """
    first, last = (_bound(rows, at * len(rows) // readers) for at in (number, number + 1))
    starts = np.cumsum([0, *rows.rows]).tolist()
    found = [
        Piece(chunk, max(first - start, 0), min(last - start, end - start))
        for chunk, (start, end) in enumerate(pairwise(starts))
    ]
    return [piece for piece in found if piece.start < piece.end]


def _bound(rows: EncodedRows, at: int) -> int:
    """The first row from ``at`` on where a part can begin: that of a list, if chunks have whole lists."""
    if not isinstance(rows, ListedRows):
        return at
    starts = np.cumsum([0, *rows.rows])
    chunk = int(np.searchsorted(starts, at, side="right")) - 1
    if chunk >= len(rows.rows) or at == starts[chunk]:
        return at
    keys = rows.read(chunk)[LISTS]
    begins = np.append(np.flatnonzero((keys[1:] != keys[:-1]) | (keys[1:] == 0)) + 1, len(keys))
    return int(starts[chunk] + begins[np.searchsorted(begins, at - starts[chunk])])


def _stream(rows: EncodedRows, order: Order, number: int, readers: int, steps: int) -> Iterator[Batch]:
    """One reader's part of each step's batch."""
    random = np.random.default_rng([order.seed, order.epoch, number])
    own = pieces(rows, number, readers)
    length = sum(piece.end - piece.start for piece in own)
    early = number * steps // readers  # so that not all readers' larger batches are in the same steps
    bounds = [(step * length + early) // steps for step in range(steps + 1)]
    if not own:
        empty = taken(rows.read(0), np.zeros(0, np.intp))
        yield from (empty for _ in range(order.skip, steps))
        return
    pool: list[Batch] = []
    step = read = 0
    for i, place in enumerate(random.permutation(len(own)).tolist()):
        piece = own[place]
        pool.append({name: array[piece.start : piece.end] for name, array in rows.read(piece.chunk).items()})
        read += piece.end - piece.start
        last = i == len(own) - 1
        end = steps if last else int(np.searchsorted(bounds, read, side="right")) - 1
        if not last and (end == step or read - bounds[step] < order.shuffle_rows / readers):
            continue
        whole = joined(pool)
        chosen, rest = _chosen(rows, whole, bounds[step : end + 1], random)
        for indices in chosen:
            if step >= order.skip:
                yield taken(whole, indices)
            step += 1
        pool = [taken(whole, rest)] if len(rest) else []


def _chosen(
    rows: EncodedRows, whole: Batch, bounds: Sequence[int], random: np.random.Generator
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """The rows of each batch between two bounds, at random, and those that are left; of lists none are."""
    count = len(next(iter(whole.values())))
    if isinstance(rows, ListedRows):
        return list(dealt(lists_of(whole[LISTS]), len(bounds) - 1, random)), np.zeros(0, np.intp)
    mixed = random.permutation(count)
    ends = np.asarray(bounds) - bounds[0]
    return [mixed[a:b] for a, b in pairwise(ends)], mixed[ends[-1] :]
