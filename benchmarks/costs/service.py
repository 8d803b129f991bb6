"""Processor time, memory and bytes of requests to a real service over HTTP."""

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.costs.inputs import Inputs, body
from benchmarks.costs.processes import Found, cpu_of, memory_of
from benchmarks.under_fire.client import Client
from tests.serving.server_process import free_port, ready, server_process
from training.planning import PlanInputs

CLIENTS = 4
WARM_SECONDS = 2.0
USED = PlanInputs().headroom
"""Share of a core that requests are to keep busy, as a plan uses it; more of them are scored together and cost less."""


@dataclass(frozen=True)
class Service:
    """A running service: its port and its process."""

    port: int
    pid: int

    def rank(self, inputs: Inputs, candidates: int, returned: int, seconds: float, seed: int = 0) -> Found:
        """Processor seconds a request; bytes of both ways; memory.

        Requests come at the rate that keeps ``USED`` of a core busy, by what they cost four clients that each ask again
        once they are answered.
        """
        sent = body(inputs.request(candidates, returned, seed))
        cpu = cpu_of(self.pid)
        warm = asyncio.run(Client(self.port, sent).closed(CLIENTS, WARM_SECONDS))
        rate = USED * len(warm.status) / (cpu_of(self.pid) - cpu)
        begun, cpu = time.monotonic(), cpu_of(self.pid)
        answers = asyncio.run(Client(self.port, sent).offered(rate, seconds))
        spent, wall = cpu_of(self.pid) - cpu, time.monotonic() - begun
        good = len(answers.of(200))
        if good != len(answers.status):
            raise SystemExit(f"error: the service answered by status: {answers.counts()}")
        url = f"http://127.0.0.1:{self.port}/rank"
        asked = urllib.request.Request(url, data=sent, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            answer_bytes = len(answer.read())
        return {
            "cpu_s": spent / good,
            "wall_s": wall / good,
            "requests": good,
            "request_bytes": len(sent),
            "answer_bytes": answer_bytes,
            "memory_bytes": memory_of(self.pid),
        }


@contextmanager
def service(inputs: Inputs, candidates: int) -> Iterator[Service]:
    """A service of the artifact with one worker, without an exposure log."""
    port = free_port()
    settings = {"max_in_flight": 64, "drain": 0, "max_candidates": candidates}
    with (inputs.work / "service.log").open("w+b") as log:
        up = lambda: ready(f"http://127.0.0.1:{port}")  # noqa: E731
        arguments = (inputs.artifact().folder, "--port", port)
        with server_process(*arguments, settings=settings, is_up=up, stderr=log) as process:
            yield Service(port, process.pid)
