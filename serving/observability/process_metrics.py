"""The ``process_*`` metrics summed over workers; the Prometheus client has them for a single process only."""

import os
import resource
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

EVERY = 2.0
"""Seconds between measurements."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessMetrics:
    """Memory, open files and CPU time, measured by each worker and summed over all of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def summed(name: str, description: str) -> Gauge:
            return Gauge(name, description, registry=registry, multiprocess_mode="livesum")

        self._resident = summed("process_resident_memory_bytes", "Resident memory of all workers.")
        self._open = summed("process_open_fds", "Open files and sockets of all workers.")
        self._most = summed("process_max_fds", "Limit of open files and sockets of all workers.")
        self._cpu = Counter("process_cpu_seconds", "CPU time of all workers, including dead ones.", registry=registry)
        self._counted = 0.0
        self._next = 0.0

    def measure(self) -> None:
        """Measure, unless the last measurement is less than ``EVERY`` seconds old."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        self._resident.set(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)
        self._open.set(len(os.listdir("/proc/self/fd")))
        self._most.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        seconds = time.process_time()
        self._cpu.inc(seconds - self._counted)
        self._counted = seconds
