"""Repeatedly killed services, and a cleaner of temporary files that removes those of a running one."""

import shutil
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.under_fire.meanwhile import meanwhile
from benchmarks.under_fire.service import KEYED, Service, body_of, started, temporary_files_in
from benchmarks.under_fire.verdict import Verdict
from benchmarks.under_fire.versions import sound

KILLS = 4


def stale(artifact: Path, candidates: int) -> Verdict:
    """SIGKILL a service four times; then remove its state, its workers' files and its whole folder."""
    with tempfile.TemporaryDirectory(prefix="under-fire-") as temporary, temporary_files_in(Path(temporary)):
        return _stale(artifact, candidates, Path(temporary))


def _stale(artifact: Path, candidates: int, temporary: Path) -> Verdict:
    folders = []
    for _ in range(KILLS):
        with started(artifact) as service:
            folders.append(len(_folders(temporary)))
            service.process.kill()
            service.process.wait()
    with started(artifact, 2) as service:
        (runtime,) = _folders(temporary)
        body = body_of(service, candidates)
        for version in (2, 3):
            sound(service.root, version)
        with meanwhile(service, body) as watched:
            (runtime / "state.json").unlink()
            shutil.rmtree(runtime / "workers")
            without_files = _reload(service, 2)
            time.sleep(1)
            back = (runtime / "state.json").is_file() and len(service.status()["workers"]) == 2
            shutil.rmtree(runtime)
            without_folder = _reload(service, 3)
            time.sleep(1)
            served = {service.ranking(body)["model_version"] for _ in range(8)}
    left = len(_folders(temporary))
    return Verdict(
        "stale",
        {
            "folders at each start after a SIGKILL": folders,
            "folders left after the last end": left,
            "reload without state.json and workers' files": without_files,
            "reload without the folder": without_folder,
            "versions served then": sorted(served),
            **watched.measured(),
        },
        {
            "each start removes what the last one left": folders == [1] * KILLS,
            "a service that ends leaves nothing": left == 0,
            "removed files are written again, and a reload succeeds": back and without_files == 200,
            "without the folder a reload succeeds": without_folder == 200 and served == {3},
            **watched.bounds(),
        },
    )


def _folders(temporary: Path) -> list[Path]:
    return list(temporary.glob("ranker-serve-*"))


def _reload(service: Service, version: int) -> int:
    answer = httpx.post(f"{service.url}/admin/reload", json={"version": version}, headers=KEYED, timeout=60)
    return answer.status_code
