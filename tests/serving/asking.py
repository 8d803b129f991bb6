"""Asking a service: once, until something is true, and again and again from threads."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from serving.protocol.formats import READERS, Exchange
from serving.protocol.formats.base import BY_ROW, JSON
from serving.protocol.messages import Ranking, RankingByRow
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace

Found = TypeVar("Found")
EXCHANGE = Exchange()
MESSAGES = {JSON: Ranking, BY_ROW: RankingByRow}
"""What answers in JSON are, by media type."""
CLIENT = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), verify=False)
"""Opens a connection for each request, which any worker may take. ``httpx.get`` reads all certificates each time.

Services are asked without TLS, so that no certificates need be read.
"""


def post(url: str, body: Any, **headers: str) -> httpx.Response:
    """One request to rank; an answer in JSON must be one that the API documents."""
    return documented(
        CLIENT.post(f"{url}/rank", content=body if isinstance(body, str) else json.dumps(body), headers=headers)
    )


def documented(response: httpx.Response) -> httpx.Response:
    """The response, once its body was read by the messages that the OpenAPI document is made of."""
    if response.status_code == 200 and response.headers["content-type"].startswith("application/json"):
        by_row = "candidates" in response.json()
        (RankingByRow if by_row else Ranking).model_validate_json(response.content)
    return response


def answered(ranker: Ranker, body: Any, watch: RequestTrace | None = None, exchange: Exchange = EXCHANGE) -> bytes:
    """The answer to one request, bytes or what JSON makes bytes of, without HTTP."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = ranker.answer(READERS[exchange.reads]().open(body, ranker.checker.bounds), watch, exchange)
    if exchange.writes in MESSAGES:
        MESSAGES[exchange.writes].model_validate_json(answer)
    return answer


def patiently(found: Callable[[], Found]) -> Found:
    """Return what is true as soon as it is; fail where it never becomes so, on however slow a machine."""
    for _ in range(1200):
        try:
            answer = found()
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def metric(url: str, name: str) -> float:
    """A metric without labels."""
    lines = CLIENT.get(f"{url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


@dataclass
class Tally:
    """Answers by status, exceptions by type, versions met, and the time of each answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    answers: set[tuple[int, str]] = field(default_factory=set)
    times: list[float] = field(default_factory=list)


@contextmanager
def load(url: str, body: dict[str, Any], clients: int = 2, until_closed: bool = False) -> Iterator[Tally]:
    """Ask for as long as the block runs; with ``until_closed`` a client stops where an answer tells it to."""
    tally, stop, text = Tally(), threading.Event(), json.dumps(body)

    def ask() -> None:
        with httpx.Client(verify=False) as client:
            while not stop.is_set():
                try:
                    answer = client.post(f"{url}/rank", content=text, timeout=60)
                except httpx.TransportError as error:
                    tally.errors[type(error).__name__] += 1
                    continue
                tally.statuses[answer.status_code] += 1
                tally.times.append(time.monotonic())
                if answer.status_code == 200:
                    ranking = answer.json()
                    tally.versions[ranking["model_version"]] += 1
                    tally.answers.add((ranking["model_version"], json.dumps(ranking["scores"])))
                if until_closed and answer.headers.get("connection") == "close":
                    return
                time.sleep(0.005)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        stop.set()
        for thread in threads:
            thread.join()
