"""Starts with broken newest versions, and with a version chosen by a file."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from benchmarks.under_fire.meanwhile import meanwhile
from benchmarks.under_fire.service import Service, body_of, started
from benchmarks.under_fire.verdict import Verdict
from benchmarks.under_fire.versions import corrupt, sound, spoilt, wrong_scores

LOOK = 0.5


def broken_version(artifact: Path, candidates: int) -> Verdict:
    """Versions 3 to 5 are corrupt, wrong and half copied: version 2 serves until the half-copied one is complete."""
    with started(artifact, 2, prepare=_versions, watch=LOOK) as service:
        body = body_of(service, candidates)
        begun = service.ranking(body)["model_version"]
        refused = service.status()["models"]["default"]["refused"]
        with meanwhile(service, body) as watched:
            _until(
                lambda: service.metric("ranker_reloads_total", outcome="scores") > 0
            )  # by the first worker's first tick
            causes = {
                cause: service.metric("ranker_reloads_total", outcome=cause) for cause in sorted({*refused.values()})
            }
            gauge = service.metric("ranker_version_refused")
            victim = int(next(iter(service.status()["workers"])))
            os.kill(victim, signal.SIGKILL)
            replaced = _until(lambda: str(victim) not in (now := service.status()["workers"]) and len(now) == 2)
            kept = {worker["models"]["default"] for worker in service.status()["workers"].values()}
            shutil.copy(service.root / ".whole" / "model.onnx", service.root / "5" / "model.onnx")
            taken = _until(lambda: _served(service) == 5)
            cleared = _until(lambda: service.metric("ranker_version_refused") == 0)
    chosen = _by_file(artifact)
    return Verdict(
        "broken-version",
        {
            "version served after the start": begun,
            "refused": refused,
            "counted": causes,
            "ranker_version_refused": gauge,
            "a killed worker is replaced after, s": replaced,
            "versions of the workers then": sorted(kept),
            "the repaired version is served after, s": taken,
            "versions served as the version file is edited": chosen,
            **watched.measured(),
        },
        {
            "the newest version that passes is served": begun == 2,
            "each broken one is refused, with its cause": refused
            == {"3": "unreadable", "4": "scores", "5": "unreadable"},
            "each refusal is counted once": causes == {"unreadable": 2, "scores": 1} and gauge == 1,
            "a new worker serves what the others do": kept == {2},
            "the repaired version is taken": taken < 30 and cleared < 30,
            "an edit of the version file moves the service, what is no number does not": chosen == [1, 2, 1, 1],
            **watched.bounds(),
        },
    )


def _by_file(artifact: Path) -> list[int]:
    """Versions served at the start and after edits of the version file."""
    with tempfile.TemporaryDirectory(prefix="under-fire-") as folder:
        file = Path(folder) / "version"
        file.write_text("1")
        with started(artifact, prepare=lambda root: sound(root, 2), watch=LOOK, version_file=file) as service:
            found = [_served(service)]
            for content, expected in (("2", 2), ("1", 1)):
                file.write_text(content)
                _until(lambda: _served(service) == expected)  # noqa: B023
                found.append(_served(service))
            file.write_text("the one before")
            time.sleep(3 * LOOK)
            return [*found, _served(service)]


def _versions(root: Path) -> None:
    sound(root, 2)
    spoilt(root, 3, corrupt)
    spoilt(root, 4, wrong_scores)
    shutil.copytree(root / "1", root / ".whole")
    spoilt(root, 5, lambda folder: (folder / "model.onnx").unlink())


def _served(service: Service) -> int:
    return int(service.status()["models"]["default"]["version"])


def _until(happened: Callable[[], bool], at_most: float = 60) -> float:
    """Seconds until a condition holds; infinity if it does not."""
    begun = time.monotonic()
    while time.monotonic() - begun < at_most:
        with contextlib.suppress(httpx.TransportError):
            if happened():
                return round(time.monotonic() - begun, 2)
        time.sleep(0.1)
    return float(np.inf)
