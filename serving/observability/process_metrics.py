"""What a worker takes of the machine: ``process_*``, which Prometheus' client itself has for one process only."""

import os
import resource
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

EVERY = 2.0
"""Seconds between measurements."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessMetrics:
    """Memory, open files and CPU time, measured by each worker of itself and summed over all of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def summed(name: str, told: str) -> Gauge:
            return Gauge(name, told, registry=registry, multiprocess_mode="livesum")

        self._resident = summed("process_resident_memory_bytes", "Resident memory of all workers.")
        self._open = summed("process_open_fds", "Files and sockets that the workers hold open.")
        self._most = summed("process_max_fds", "Files and sockets that the workers may hold open.")
        self._cpu = Counter("process_cpu_seconds", "CPU time of all workers, dead ones included.", registry=registry)
        self._counted = 0.0
        self._next = 0.0

    def measure(self) -> None:
        """Measure anew, unless that was done a moment ago."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        self._resident.set(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)
        self._open.set(len(os.listdir("/proc/self/fd")))
        self._most.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        seconds = time.process_time()
        self._cpu.inc(seconds - self._counted)
        self._counted = seconds
