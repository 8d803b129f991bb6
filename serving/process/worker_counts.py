"""Counts of worker deaths and restarts: written by the supervisor, reported by any worker."""

from collections.abc import Iterator
from pathlib import Path

import orjson
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ranker.files import replace_file

REASONS = ("killed", "exited", "hung", "failed_to_load")
FILE = "supervisor.json"


class WorkerCounts(Collector):
    """Counts in a file of the runtime folder, written by the supervisor; all are 0 without the file."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._deaths, self._restarts = dict.fromkeys(REASONS, 0), 0
        self._unwritten = False

    def count_death(self, reason: str) -> None:
        """Count a worker that died."""
        self._deaths[reason] += 1
        self._unwritten = True

    def count_restart(self) -> None:
        """Count a worker that was started in place of one that died."""
        self._restarts += 1
        self._unwritten = True

    def write(self) -> None:
        """Write the counts if they have changed. Raises ``OSError``; the next call then tries again."""
        if self._unwritten and self._file is not None:
            replace_file(self._file, orjson.dumps({"deaths": self._deaths, "restarts": self._restarts}))
        self._unwritten = False

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the metrics for Prometheus."""
        deaths, restarts = self._read()
        family = CounterMetricFamily("ranker_worker_deaths", "Workers that died, by reason.", labels=["reason"])
        for reason, count in deaths.items():
            family.add_metric([reason], count)
        yield family
        yield CounterMetricFamily(
            "ranker_worker_restarts", "Workers started in place of ones that died.", value=restarts
        )

    def _read(self) -> tuple[dict[str, int], int]:
        try:
            stored = orjson.loads(self._file.read_bytes()) if self._file is not None else {}
        except FileNotFoundError:
            stored = {}
        return {**self._deaths, **stored.get("deaths", {})}, stored.get("restarts", self._restarts)
