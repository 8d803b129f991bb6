"""What the workers of one service know together: a small folder with what to serve and who serves what.

::

    state.json          what the models' file said; by model the version to serve, and those served before
    workers/PID.json    what a worker serves now
    watch.lock          held by the one worker that looks for new versions

Every file is written whole under another name and renamed; changes of the state are made under a lock of the system,
which ends with the process that held it.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from ranker.closed import Closed
from serving.catalogue import Catalogue
from serving.experiment import Experiment
from serving.logs import event

HISTORY = 10


class Versions(Closed):
    """The version of one model that all workers are to serve."""

    current: int
    previous: tuple[int, ...] = Field((), description="Versions served before, the latest last.")
    highest: int = Field(description="No version up to this one is picked up by the watch.")

    def moved(self, version: int) -> "Versions":
        """Serve another version."""
        previous = (*self.previous, self.current)[-HISTORY:]
        return Versions(current=version, previous=previous, highest=max(self.highest, version))

    def back(self) -> "Versions":
        """Serve the version before. Raises ``LookupError`` where there is none."""
        if not self.previous:
            raise LookupError("no version was served before this one")
        return Versions(current=self.previous[-1], previous=self.previous[:-1], highest=self.highest)


class State(Closed):
    """What all workers are to serve: one file, so that models and experiment always go together."""

    catalogue: Catalogue = Field(description="As it was read; the file may have changed since.")
    versions: dict[str, Versions] = Field(description="By model, but for those of one version only.")
    items: int = Field(0, description="How often the items were to be taken up anew.")

    def now(self, model: str, versions: Versions) -> "State":
        """The same with other versions of one model."""
        return self.model_copy(update={"versions": {**self.versions, model: versions}})

    def with_new_items(self) -> "State":
        """The same, and every worker looks at the files of items."""
        return self.model_copy(update={"items": self.items + 1})

    def on(self, experiment: Experiment | None) -> "State":
        """The same with another experiment."""
        return self.model_copy(update={"catalogue": self.catalogue.model_copy(update={"experiment": experiment})})


class Serving(Closed):
    """What one worker serves."""

    models: dict[str, int]
    experiment: str | None = Field(None, description="The experiment's revision.")


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
            seen = self._seen  # another thread may forget it meanwhile
            if seen is None or seen[0] != stamp:
                seen = self._seen = (stamp, State.model_validate_json(file.read_bytes()))
        except FileNotFoundError:
            return None
        return seen[1]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other worker changes the state meanwhile; it waits, and the lock ends with the process that holds it."""
        with (self._folder / "state.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._seen = None
            yield

    def write(self, state: State) -> None:
        """Change the state, :meth:`alone`."""
        _write(self._folder / "state.json", state.model_dump_json().encode())

    def report(self, serving: Serving) -> None:
        """Say what this worker serves; on a full disk it serves all the same, and only ``/admin/status`` misses it."""
        try:
            _write(self._workers / f"{os.getpid()}.json", serving.model_dump_json().encode())
        except OSError as error:
            event(logging.ERROR, "worker not listed", reason=str(error))

    def workers(self) -> dict[int, Serving]:
        """What every living worker serves, by its process id."""
        found = {}
        for file in sorted(self._workers.glob("[0-9]*.json")):
            if _lives(int(file.stem)):
                found[int(file.stem)] = Serving.model_validate_json(file.read_bytes())
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


def _write(file: Path, content: bytes) -> None:
    whole = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        whole.write_bytes(content)
        os.replace(whole, file)
    except OSError:
        whole.unlink(missing_ok=True)
        raise


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
