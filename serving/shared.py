"""What the workers of one service know together: a small folder with the version to serve and who serves what.

::

    state.json          the version to serve, those served before, and the highest one considered
    workers/PID.json    the version that a worker serves now
    watch.lock          held by the one worker that looks for new versions

Every file is written whole under another name and renamed; changes of the state are made under a lock of the system,
which ends with the process that held it.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from pydantic import Field

from ranker.closed import Closed

HISTORY = 10


class State(Closed):
    """The version that all workers are to serve."""

    current: int
    previous: tuple[int, ...] = Field((), description="Versions served before, the latest last.")
    highest: int = Field(description="No version up to this one is picked up by the watch.")
    items: int = Field(0, description="How often the items were to be taken up anew.")

    def moved(self, version: int) -> "State":
        """Serve another version."""
        previous = (*self.previous, self.current)[-HISTORY:]
        return self.model_copy(update={"current": version, "previous": previous, "highest": max(self.highest, version)})

    def back(self) -> "State":
        """Serve the version before. Raises ``LookupError`` where there is none."""
        if not self.previous:
            raise LookupError("no version was served before this one")
        return self.model_copy(update={"current": self.previous[-1], "previous": self.previous[:-1]})

    def with_new_items(self) -> "State":
        """Take the items up anew."""
        return self.model_copy(update={"items": self.items + 1})


class Shared:
    """The folder; every worker holds one of these."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers = folder / "workers"
        self._workers.mkdir(parents=True, exist_ok=True)
        self._leading: int | None = None
        self._seen: tuple[int, State] | None = None

    def state(self) -> State | None:
        """What to serve, or ``None`` before any worker has begun. A look costs one stat."""
        file = self._folder / "state.json"
        try:
            stamp = file.stat().st_mtime_ns ^ file.stat().st_ino
            if self._seen is None or self._seen[0] != stamp:
                self._seen = (stamp, State.model_validate_json(file.read_bytes()))
        except FileNotFoundError:
            return None
        return self._seen[1]

    def change(self, next_state: Callable[[State | None], State]) -> State:
        """Write what a function makes of the state; no other worker changes it meanwhile."""
        with self._locked():
            self._seen = None
            state = next_state(self.state())
            _write(self._folder / "state.json", state.model_dump_json().encode())
        return state

    def ask_for_items(self) -> None:
        """Have all workers look at the file of items."""
        self.change(lambda state: state.with_new_items() if state else State(current=0, highest=0, items=1))

    def report(self, version: int) -> None:
        """Say which version this worker serves."""
        _write(self._workers / f"{os.getpid()}.json", orjson.dumps(version))

    def workers(self) -> dict[int, int]:
        """Version by the process id of every living worker."""
        found = {}
        for file in sorted(self._workers.glob("[0-9]*.json")):
            if _lives(int(file.stem)):
                found[int(file.stem)] = int(orjson.loads(file.read_bytes()))
        return found

    def buried(self) -> list[int]:
        """Process ids of workers that died since the last look; each is told once."""
        dead = [file for file in self._workers.glob("[0-9]*.json") if not _lives(int(file.stem))]
        for file in dead:
            file.unlink(missing_ok=True)
        return [int(file.stem) for file in dead]

    def leads(self) -> bool:
        """Whether this worker is the one that does what only one should; another takes over when it ends."""
        if self._leading is None:
            handle = os.open(self._folder / "watch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return False
            self._leading = handle
        return True

    def leave(self) -> None:
        """Say that this worker ends."""
        (self._workers / f"{os.getpid()}.json").unlink(missing_ok=True)
        if self._leading is not None:
            os.close(self._leading)
            self._leading = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "state.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _write(file: Path, content: bytes) -> None:
    whole = file.with_name(f".{file.name}.{os.getpid()}")
    whole.write_bytes(content)
    os.replace(whole, file)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
