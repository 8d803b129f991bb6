"""Who does the work on the parts of something: this process, several processes, or a cluster."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, Protocol

from ranker.cluster.session import cluster_at
from ranker.cluster.size import Pool
from ranker.cluster.stream import results
from ranker.cluster.versions import versions
from training.data.second_pass import STAGES, EncodedSpan, Item, SecondPass
from training.progress_listener import Progress


class Workers(Protocol):
    """Encode spans."""

    def each(self, work: SecondPass, items: Sequence[Item], progress: Progress) -> Iterator[EncodedSpan]:
        """Results in the order of the items. Raises what the first item that fails raises."""


class Here:
    """The process that asks."""

    def each(self, work: SecondPass, items: Sequence[Item], progress: Progress) -> Iterator[EncodedSpan]:
        """Results in order."""
        return (work(item, progress) for item in items)


HERE = Here()


@dataclass(frozen=True)
class Processes:
    """``count`` processes of this machine, each with its own copy of what the first pass has fitted."""

    count: int

    def each(self, work: SecondPass, items: Sequence[Item], progress: Progress) -> Iterator[EncodedSpan]:
        """Results in order. Raises ``RuntimeError`` if a process ends, such as for lack of memory."""
        pool = ProcessPoolExecutor(
            max(min(self.count, len(items)), 1),
            mp_context=get_context("spawn"),  # a fork would copy the locks of TensorFlow's threads
            initializer=_begin,
            initargs=(pickle.dumps(work, protocol=5),),
        )
        try:
            for item, found in zip(items, pool.map(_encoded, items), strict=True):
                progress(STAGES[item.side], found.read)
                yield found
        except BrokenProcessPool:
            raise RuntimeError(
                "a process that encodes rows has ended, as when memory is short: each holds a copy of the "
                "vocabularies; start again with fewer --processes"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class OnRay:
    """Actors of a Ray cluster, which share the storage of the output and of the data."""

    address: str

    def each(self, work: SecondPass, items: Sequence[Item], progress: Progress) -> Iterator[EncodedSpan]:
        """Results in order. Raises ``ClusterError`` if the cluster cannot be used."""
        with cluster_at(self.address) as cluster:
            # Actors read what they encode, so that no processor is left to readers.
            pool = Pool(max(int(cluster.cpus), 1), 1)
            state = cluster.ray.put(work)
            read, places = partial(_one, tuple(items)), tuple(map(work.place, items))
            named = partial(_named, places)
            encoded = results(cluster, len(items), read, _Fetched, ([state],), named, versions(), pool)
            for item, found in zip(items, encoded, strict=True):
                progress(STAGES[item.side], found.read)
                yield found


class _Fetched:
    """Work that an actor takes from the object store once."""

    def __init__(self, state: list[Any]) -> None:
        self._work: SecondPass = import_module("ray").get(state[0])

    def __call__(self, item: Item) -> EncodedSpan:
        return self._work(item)


def _one(items: tuple[Item, ...], index: int) -> Iterator[Item]:
    yield items[index]


def _named(places: tuple[str, ...], index: int, _: Item | None) -> str:
    return places[index]


_work: SecondPass | None = None


def _begin(pickled: bytes) -> None:
    """Load the work once in a process, which ends with the one that started it."""
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches this process; its parent stops it
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.join,), daemon=True).start()
    _work = pickle.loads(pickled)


def _end_with(wait: Callable[[], Any]) -> None:
    wait()
    os._exit(1)


def _encoded(item: Item) -> EncodedSpan:
    assert _work is not None, "the process was begun"
    return _work(item)
