"""How often work has ended the process that did it, so that no work ends one process after the other for good."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeAlias

from ranker.cluster.session import Cluster, ClusterError

MOST = 4
"""Processes that the same work may end."""
Key: TypeAlias = tuple[str, int | str, int]
"""What is done, and the place of it."""


class Begun:
    """Counts what has begun and has not ended; in a process of its own, which survives those that work."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()

    def begin(self, key: Key) -> int:
        """How often the work had begun before without an end."""
        self._counts[key] += 1
        return self._counts[key] - 1

    def end(self, key: Key) -> None:
        """Forget the work."""
        self._counts.pop(key, None)


class Tries:
    """Lets work begin on any machine of a cluster, unless it has ended too many processes; can be pickled."""

    def __init__(self, begun: Any, most: int) -> None:
        self._begun, self._most = begun, most

    @classmethod
    def of(cls, cluster: Cluster) -> "Tries":
        """Start to count, on the machine of the command if it has room; it ends with the last reference to it."""
        here = cluster.ray.get_runtime_context().get_node_id()
        near = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy(here, soft=True)
        options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": near}
        return cls(cluster.ray.remote(**options)(Begun).remote(), MOST)

    @contextmanager
    def trying(self, key: Key, told: str) -> Iterator[None]:
        """Do the work. Raises ``ClusterError``, with what is ``told`` of it, if it has ended too many processes.

        An exception is an end as any other: only a process that is gone has not ended its work.
        """
        before = import_module("ray").get(self._begun.begin.remote(key))
        if before >= self._most:
            raise ClusterError(
                f"{told}: {before} processes of the cluster have ended at it, one after the other, as when memory is "
                "short; let fewer processes work on a machine (`ray start --num-cpus`), or try without --ray"
            )
        try:
            yield
        finally:
            self._begun.end.remote(key)
