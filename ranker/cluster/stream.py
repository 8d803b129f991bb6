"""Items through an actor pool of Ray Data: read by tasks, worked on by actors, in bounded memory."""

import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, NamedTuple

from ranker.cluster.ordered import Piece, ordered
from ranker.cluster.session import Cluster, ClusterError
from ranker.cluster.size import Pool
from ranker.cluster.tries import Tries
from ranker.cluster.versions import require_same

COLUMN = "piece"
"""The only column of the rows that Ray Data moves: a pickled piece."""
CLAIM = 0.5
"""Processors that an actor claims, of the one that it uses."""
PATIENCE = 15.0
"""Seconds without a result after which the cluster is looked at."""
Read = Callable[[int], Iterator[Any]]
"""From the number of a span to its items."""
Work = Callable[[Any], Any]
"""From an item to its result."""
Named = Callable[[int, Any], str]
"""From the number of a span and an item of it, or ``None`` for the whole span, to its file and rows, for messages."""


class Terms(NamedTuple):
    """What readers and actors go by: how items are named, versions of packages, and how often work has been tried."""

    named: Named
    versions: Mapping[str, str]
    tries: Tries


def results(
    cluster: Cluster,
    spans: int,
    read: Read,
    worker: Callable[..., Work],
    arguments: Sequence[Any],
    named: Named,
    versions: Mapping[str, str],
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
    named
        Names what is read and worked on in errors.
    versions
        Of packages that results depend on, which every machine must have.
    pool
        Sizes; by default those for the cluster's processors.

    Raises
    ------
    Exception
        The first one, in the order of the items, that reading or working raised, as far as it can be pickled.
    ClusterError
        If the cluster fails, a machine has other versions, or work ends the process that does it again and again.

    Notes
    -----
    A row is a pickled item, whose size Ray Data does not change, and a block holds one row: blocks are neither split
    nor joined. Lost blocks are read and worked on again.

    Readers claim no processor, so that actors that fill what is left of a cluster never keep them from running, which
    would stop the job for good. So would an actor without room to start again: the items that it had begun wait for it.
    That is why an actor claims half of the processor that it uses, and half of the machines may be lost.
    """
    if not spans:
        return
    pool, terms = pool or cluster.pool(), Terms(named, versions, Tries.of(cluster))
    with _settings(cluster.ray.data.DataContext.get_current()):  # a data set keeps a copy
        rows = (
            cluster.ray.data.from_items([{"span": span} for span in range(spans)], override_num_blocks=spans)
            .map_batches(_Reader(read, terms), batch_size=1, num_cpus=0, concurrency=pool.readers)
            .map_batches(
                _Actor,
                batch_size=1,
                fn_constructor_args=(terms, worker, *arguments),
                compute=cluster.ray.data.ActorPoolStrategy(size=pool.actors),
                num_cpus=CLAIM,
            )
        )
    try:
        for result in ordered(_pieces(cluster, rows, pool), spans):
            if isinstance(result, Failure):
                raise result.error
            yield result
    except cluster.ray.exceptions.RayError as error:
        raise ClusterError(f"the cluster failed: {_last_line(error)}") from error


def _pieces(cluster: Cluster, rows: Any, pool: Pool) -> Iterator[Piece[Any]]:
    """Pieces as they come. Raises ``ClusterError`` if the actors no longer fit on what is left of the cluster."""
    found: Queue[bytes | Exception | None] = Queue(maxsize=4)
    stopped = Event()

    def fetch() -> None:
        end: Exception | None = None
        try:
            for row in rows.iter_rows():
                if stopped.is_set():
                    return
                found.put(row[COLUMN])
        except Exception as error:
            end = error
        if not stopped.is_set():
            found.put(end)

    thread = Thread(target=fetch, name="ray-results", daemon=True)
    thread.start()
    try:
        while True:
            try:
                piece = found.get(timeout=PATIENCE)
            except Empty:
                _require_room(cluster, pool)
                continue
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield pickle.loads(piece)
    finally:
        stopped.set()
        while thread.is_alive() and not found.empty():
            found.get_nowait()  # lets the thread see that it is to stop


def _require_room(cluster: Cluster, pool: Pool) -> None:
    left = float(cluster.ray.cluster_resources().get("CPU", 0.0))
    if left < pool.actors * CLAIM:
        raise ClusterError(
            f"the cluster has lost machines: {left:g} processors are left, less than half of those that the job began "
            "with; run the same command again to go on with what is left"
        )


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
    def __init__(self, read: Read, terms: Terms) -> None:
        self._read, self._terms = read, terms

    def __call__(self, batch: Any) -> Iterator[dict[str, list[bytes]]]:
        for span in map(int, batch["span"]):
            place = 0
            try:
                require_same(self._terms.versions)
                with self._terms.tries.trying(("read", span, 0), f"reading {self._terms.named(span, None)}"):
                    for item in self._read(span):
                        yield _row(Piece(span, place, item))
                        place += 1
            except Exception as error:
                yield _row(Piece(span, place, Failure(error)))
                place += 1
            yield _row(Piece(span, place, None))


class _Actor:
    def __init__(self, terms: Terms, worker: Callable[..., Work], *arguments: Any) -> None:
        self._terms = terms
        self._work: Work | None = None
        actor = import_module("ray").get_runtime_context().get_actor_id()  # it stays when the actor starts again
        try:
            require_same(terms.versions)
            with terms.tries.trying(("start", actor, 0), f"the start of a process that calls {worker.__name__}"):
                self._work = worker(*arguments)
        except Exception as error:
            self._failed = Failure(error)

    def __call__(self, batch: Any) -> dict[str, list[bytes]]:
        return {COLUMN: [pickle.dumps(self._worked(pickle.loads(row)), protocol=5) for row in batch[COLUMN]]}

    def _worked(self, piece: Piece[Any]) -> Piece[Any]:
        item = piece.result
        if item is None or isinstance(item, Failure):
            return piece
        if self._work is None:
            return piece._replace(result=self._failed)
        try:
            with self._terms.tries.trying(("work", piece.span, piece.place), self._terms.named(piece.span, item)):
                return piece._replace(result=self._work(item))
        except Exception as error:
            return piece._replace(result=Failure(error))


def _row(piece: Piece[Any]) -> dict[str, list[bytes]]:
    return {COLUMN: [pickle.dumps(piece, protocol=5)]}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
