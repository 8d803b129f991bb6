"""Items through an actor pool of Ray Data: read by tasks, worked on by actors, in bounded memory."""

import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ranker.cluster.ordered import Piece, ordered
from ranker.cluster.session import Cluster, ClusterError
from ranker.cluster.size import Pool

COLUMN = "piece"
"""The only column of the rows that Ray Data moves: a pickled piece."""
Read = Callable[[int], Iterator[Any]]
"""From the number of a span to its items."""
Work = Callable[[Any], Any]
"""From an item to its result."""


def results(
    cluster: Cluster,
    spans: int,
    read: Read,
    worker: Callable[..., Work],
    arguments: Sequence[Any],
    pool: Pool | None = None,
) -> Iterator[Any]:
    """Results of a worker for each item of each span, in order, each once.

    Parameters
    ----------
    cluster
        Where tasks read and actors work.
    spans
        Number of spans to read.
    read
        Reads a span, wherever it runs; it must return the same items if a span is read again.
    worker
        Called once in each actor with the arguments, returns the function that is called with each item.
    arguments
        Object references among them are fetched in each actor.
    pool
        Sizes; by default those for the cluster's processors.

    Raises
    ------
    Exception
        The first one, in the order of the items, that reading or working raised, as far as it can be pickled.
    ClusterError
        If the cluster fails.

    Notes
    -----
    A row is a pickled item, whose size Ray Data does not change, and a block holds one row: blocks are neither split
    nor joined. Readers claim no processor, so that a pool which is as large as what is left of a cluster never keeps
    them from running, which would stop the job for good. Lost blocks are read and worked on again.
    """
    pool = pool or cluster.pool()
    with _settings(cluster.ray.data.DataContext.get_current()):  # a data set keeps a copy
        rows = (
            cluster.ray.data.from_items([{"span": span} for span in range(spans)], override_num_blocks=spans)
            .map_batches(_Reader(read), batch_size=1, num_cpus=0, concurrency=pool.readers)
            .map_batches(
                _Actor,
                batch_size=1,
                fn_constructor_args=(worker, *arguments),
                compute=cluster.ray.data.ActorPoolStrategy(size=pool.actors),
                num_cpus=1,
            )
        )
    try:
        pieces = (pickle.loads(row[COLUMN]) for row in rows.iter_rows())
        for result in ordered(pieces, spans):
            if isinstance(result, Failure):
                raise result.error
            yield result
    except cluster.ray.exceptions.RayError as error:
        raise ClusterError(f"the cluster failed: {_last_line(error)}") from error


@contextmanager
def _settings(context: Any) -> Iterator[None]:
    """Blocks in order, of a row each, and actors that work as soon as the first one is there; as before at the end."""
    options = context.execution_options
    before = (options.preserve_order, context.target_max_block_size, context.target_min_block_size)
    options.preserve_order, context.target_max_block_size, context.target_min_block_size = True, 1, 1
    try:
        yield
    finally:
        options.preserve_order, context.target_max_block_size, context.target_min_block_size = before


class Failure:
    """An exception as a result, so that it is raised in its turn; one that cannot be pickled becomes its text."""

    def __init__(self, error: Exception) -> None:
        try:
            pickle.loads(pickle.dumps(error))
            self.error: Exception = error
        except Exception:
            self.error = RuntimeError("".join(traceback.format_exception(error)).strip())


class _Reader:
    def __init__(self, read: Read) -> None:
        self._read = read

    def __call__(self, batch: Any) -> Iterator[dict[str, list[bytes]]]:
        for span in map(int, batch["span"]):
            place = 0
            try:
                for item in self._read(span):
                    yield _row(Piece(span, place, item))
                    place += 1
            except Exception as error:
                yield _row(Piece(span, place, Failure(error)))
                place += 1
            yield _row(Piece(span, place, None))


class _Actor:
    def __init__(self, worker: Callable[..., Work], *arguments: Any) -> None:
        self._work: Work | None = None
        try:
            self._work = worker(*arguments)
        except Exception as error:
            self._failed = Failure(error)

    def __call__(self, batch: Any) -> dict[str, list[bytes]]:
        found = []
        for pickled in batch[COLUMN]:
            piece = pickle.loads(pickled)
            if piece.result is not None and not isinstance(piece.result, Failure):
                piece = piece._replace(result=self._worked(piece.result))
            found.append(pickle.dumps(piece, protocol=5))
        return {COLUMN: found}

    def _worked(self, item: Any) -> Any:
        if self._work is None:
            return self._failed
        try:
            return self._work(item)
        except Exception as error:
            return Failure(error)


def _row(piece: Piece[Any]) -> dict[str, list[bytes]]:
    return {COLUMN: [pickle.dumps(piece, protocol=5)]}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
