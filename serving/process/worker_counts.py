"""Counts of deaths and restarts of workers and scorers: written by the supervisor, reported by any worker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ranker.files import replace_file

REASONS = ("killed", "exited", "hung", "failed_to_load")
KINDS = ("worker", "scorer")
FILE = "supervisor.json"


class WorkerCounts(Collector):
    """Counts in a file of the runtime folder, written by the supervisor; all are 0 without the file."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._deaths = {kind: dict.fromkeys(REASONS, 0) for kind in KINDS}
        self._restarts = dict.fromkeys(KINDS, 0)
        self._unwritten = False

    def count_death(self, reason: str, kind: str = "worker") -> None:
        """Count a process that died."""
        self._deaths[kind][reason] += 1
        self._unwritten = True

    def count_restart(self, kind: str = "worker") -> None:
        """Count a process that was started in place of one that died."""
        self._restarts[kind] += 1
        self._unwritten = True

    def write(self) -> None:
        """Write the counts if they have changed. Raises ``OSError``; the next call then tries again."""
        if self._unwritten and self._file is not None:
            replace_file(self._file, orjson.dumps({"deaths": self._deaths, "restarts": self._restarts}))
        self._unwritten = False

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the metrics for Prometheus."""
        stored = self._stored()
        deaths, restarts = stored.get("deaths", self._deaths), stored.get("restarts", self._restarts)
        for kind in KINDS:
            name, plural = f"ranker_{kind}", f"{kind.capitalize()}s"
            family = CounterMetricFamily(f"{name}_deaths", f"{plural} that died, by reason.", labels=["reason"])
            for reason, count in deaths[kind].items():
                family.add_metric([reason], count)
            yield family
            text = f"{plural} started in place of ones that died."
            yield CounterMetricFamily(f"{name}_restarts", text, value=restarts[kind])

    def _stored(self) -> dict[str, Any]:
        try:
            stored: dict[str, Any] = orjson.loads(self._file.read_bytes()) if self._file is not None else {}
        except FileNotFoundError:
            return {}
        return stored
