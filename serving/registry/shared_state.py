"""What the workers of one service know together: a small folder with what to serve and who serves what.

::

    state.json              what the models' file said; by model the version to serve, and those served before
    workers/PID-START.json  what a worker serves now; START is when its process began, since ids are used again
    watch.lock              held by the one worker that looks for new versions

Every file is written whole under another name and renamed; changes of the state are made under a lock of the system,
which ends with the process that held it. What somebody removes, such as a cleaner of temporary files, is written again.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import Field, ValidationError

from ranker.config.closed import Closed
from ranker.file_locks import is_still, lock, locked
from ranker.files import replace_file
from serving.experiments.config import Experiment
from serving.logs import Problems, event
from serving.process.procfs import start_time
from serving.process.runtime_folder import hold
from serving.registry.catalog import Catalogue

HISTORY = 10


class Refused(Closed):
    """A version that was refused, and is not tried again before its files change."""

    stamp: str = Field(description="Of its files as they were; see `VersionLoader.stamp`.")
    cause: str = Field(description="As the metric counts it.")
    counted: bool = Field(True, description="No for one that was refused before any worker could count it.")


class Versions(Closed):
    """The version of one model that all workers are to serve."""

    current: int
    previous: tuple[int, ...] = Field((), description="Versions served before, the latest last.")
    highest: int = Field(description="No version up to this one is picked up by the watch.")
    digest: str = Field("", description="Of the files of `current`, so that no worker serves others under its number.")
    refused: dict[int, Refused] = Field(
        default_factory=dict, description="By number, those that would be served if they were not refused."
    )

    def moved(self, version: int) -> "Versions":
        """Serve another version."""
        previous = (*self.previous, self.current)[-HISTORY:]
        refused = {number: why for number, why in self.refused.items() if number > version}
        return Versions(current=version, previous=previous, highest=max(self.highest, version), refused=refused)

    def back(self) -> "Versions":
        """Serve the version before. Raises ``LookupError`` where there is none."""
        if not self.previous:
            raise LookupError("no version was served before this one")
        return self.model_copy(update={"current": self.previous[-1], "previous": self.previous[:-1], "digest": ""})

    def loaded_as(self, digest: str) -> "Versions":
        """The same, with what the files of the version are."""
        return self.model_copy(update={"digest": digest})

    def with_refused(self, refused: dict[int, Refused]) -> "Versions":
        """The same, with other versions refused."""
        return self.model_copy(update={"refused": refused})


class State(Closed):
    """What all workers are to serve: one file, so that models and experiment always go together."""

    catalogue: Catalogue = Field(description="As it was read; the file may have changed since.")
    versions: dict[str, Versions] = Field(description="By model, but for those of one version only.")
    items: int = Field(0, description="How often the items were to be taken up anew.")

    def versions_of(self, catalogue: Catalogue) -> dict[str, Versions]:
        """Versions of those models that come from the same folder there: numbers of another folder mean nothing."""
        return {
            name: versions
            for name, versions in self.versions.items()
            if name in catalogue.models and catalogue.models[name].artifact == self.catalogue.models[name].artifact
        }

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


class StateError(RuntimeError):
    """The state cannot be written, since the disk is full for one; the text names the folder and the reason."""


class SharedState:
    """The folder; every worker holds one of these."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._workers = folder / "workers"
        self._own = self._workers / f"{os.getpid()}-{start_time(os.getpid())}.json"
        self._leading: int | None = None
        self._seen: tuple[int, State] | None = None
        self._serving: Serving | None = None
        self._lock: int | None = None
        self._problems = Problems()
        self._damaged: int | None = None
        """The stamp of a file that cannot be read."""
        self._make()

    def state(self) -> State | None:
        """What to serve, or ``None`` before any worker has begun. A look costs one stat.

        Where the file was removed or damaged, it is the state that was seen last.
        """
        file = self._folder / "state.json"
        seen = self._seen
        try:
            stamp = _stamp(file)
            if stamp != self._damaged and (seen is None or seen[0] != stamp):
                seen = self._seen = (stamp, State.model_validate_json(file.read_bytes()))
        except FileNotFoundError:
            pass
        except ValidationError as error:  # cut off, or of another release
            self._damaged = stamp
            event(logging.ERROR, "state not readable", file=str(file), reason=str(error.errors()[0]["msg"]))
        return None if seen is None else seen[1]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other worker changes the state meanwhile; it waits, and the lock ends with the process that holds it."""
        self._make()
        with locked(self._folder / "state.lock"):
            self._make()  # where somebody removed the folder while this waited
            if self._seen is not None:
                self._seen = (0, self._seen[1])
            yield

    def write(self, state: State) -> None:
        """Change the state, :meth:`alone`. Raises ``StateError``, and then the state is what it was."""
        file = self._folder / "state.json"
        try:
            replace_file(file, state.model_dump_json().encode())
        except OSError as error:
            raise StateError(f"{self._folder} cannot be written to: {error.strerror or error}") from None
        self._seen = (0, state)

    def report(self, serving: Serving) -> None:
        """Say what this worker serves; on a full disk it serves all the same, and only ``/admin/status`` misses it."""
        self._serving = serving
        try:
            replace_file(self._own, serving.model_dump_json().encode())
            self._problems.end("report")
        except OSError as error:
            if self._problems.note("report", str(error)):
                event(logging.ERROR, "worker not listed", reason=str(error))

    def mend(self) -> list[str]:
        """Write again what somebody removed from the folder, or the folder itself; return the names of what was gone.

        Each worker tells of its own file, and the first one to miss the state of that.
        """
        gone = [] if self._folder.is_dir() else [str(self._folder)]
        self._make()
        if self._serving is not None and not self._own.is_file():
            if "report" not in self._problems:
                gone.append(self._own.name)
            self.report(self._serving)
        if self._seen is not None and self._is_gone():
            with self.alone():
                if self._is_gone():
                    self.write(self._seen[1])
                    gone.append("state.json")
        return gone

    def _is_gone(self) -> bool:
        """Whether the state's file was removed or damaged."""
        try:
            return _stamp(self._folder / "state.json") == self._damaged
        except FileNotFoundError:
            return True

    def workers(self) -> dict[int, Serving]:
        """What every living worker serves, by its process id."""
        found = {}
        for file in self._files():
            with suppress(FileNotFoundError, ValidationError):  # it ends, or somebody changed its file
                if _lives(file):
                    found[_pid(file)] = Serving.model_validate_json(file.read_bytes())
        return found

    def buried(self) -> list[int]:
        """Process ids of workers that died since the last look, each told once; not those that others have by now."""
        files = self._files()
        dead = [file for file in files if not _lives(file)]
        for file in dead:
            file.unlink(missing_ok=True)
        living = {_pid(file) for file in files if file not in dead}  # ids are used again
        return [_pid(file) for file in dead if _pid(file) not in living]

    def leads(self) -> bool:
        """Whether this worker is the one that does what only one should; another takes over when it ends."""
        file = self._folder / "watch.lock"
        if self._leading is not None and not is_still(file, self._leading):
            os.close(self._leading)  # removed by somebody: another worker may have made it anew
            self._leading = None
        if self._leading is None:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not lock(handle, wait=False):
                os.close(handle)
                return False
            self._leading = handle
        return True

    def leave(self) -> None:
        """Say that this worker ends."""
        self._own.unlink(missing_ok=True)
        for handle in (self._leading, self._lock):
            if handle is not None:
                os.close(handle)
        self._leading = self._lock = self._serving = None

    def _make(self) -> None:
        """Make the folder where it is not there, and say by a lock on it that its service lives."""
        self._workers.mkdir(parents=True, exist_ok=True)
        if self._lock is not None and not is_still(self._folder, self._lock):
            os.close(self._lock)
            self._lock = None
        if self._lock is None:
            self._lock = hold(self._folder)

    def _files(self) -> list[Path]:
        return sorted(self._workers.glob("[0-9]*-[0-9]*.json"))


def _stamp(file: Path) -> int:
    """Changes whenever the file is replaced. Raises ``FileNotFoundError``."""
    facts = file.stat()
    return facts.st_mtime_ns ^ facts.st_ino


def _pid(file: Path) -> int:
    return int(file.stem.partition("-")[0])


def _lives(file: Path) -> bool:
    """Whether the process lives that wrote a worker's file, and not only one that has its id by now."""
    return start_time(_pid(file)) == int(file.stem.partition("-")[2])
