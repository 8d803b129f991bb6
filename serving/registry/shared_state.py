"""State shared by the workers of one service: a folder with the versions to serve and what each worker serves.

::

    state.json              the models file as read; for each model the version to serve and the previous ones
    workers/PID-START.json  what a worker serves; START is its process's start time, since process ids are reused
    watch.lock              held by the one worker that looks for new versions

Every file is replaced atomically. The state is changed under a file lock, which ends with the process that holds it.
Files removed by others, such as a cleaner of temporary files, are written again.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import Field, ValidationError

from ranker.config.closed import Closed
from ranker.file_locks import is_still, lock, locked
from ranker.files import replace_file
from serving.experiments.config import Experiment
from serving.logs import Problems, event
from serving.process.procfs import start_time
from serving.process.runtime_folder import hold
from serving.protocol.errors import cut
from serving.registry.catalog import Catalogue

HISTORY = 10
REASON = 1000
"""Most characters kept of the reason for a refusal."""
now = partial(datetime.now, UTC)


class Refused(Closed):
    """A refused version, which is not tried again until its files change."""

    stamp: str = Field(description="Stamp of its files; see `VersionLoader.stamp`.")
    cause: str = Field(description="Label of the metric.")
    counted: bool = Field(True, description="False if it was refused before any worker could count it.")


class LastRefused(Closed):
    """The latest refused version, kept for people after other versions were served."""

    version: int
    cause: str = Field(description="Label of the metric.")
    reason: str
    time: datetime = Field(default_factory=now)

    @classmethod
    def of(cls, version: int, cause: str, reason: str) -> "LastRefused":
        """A version refused now; a long reason is cut."""
        return cls(version=version, cause=cause, reason=cut(reason, REASON))


class Versions(Closed):
    """The version of one model that all workers should serve, and its history."""

    current: int
    since: datetime = Field(default_factory=now, description="When `current` was first served.")
    previous: tuple[int, ...] = Field((), description="Previously served versions, latest last.")
    highest: int = Field(description="The watch only picks up versions above this one.")
    digest: str = Field("", description="Digest of the files of `current`, so that all workers serve the same files.")
    refused: dict[int, Refused] = Field(
        default_factory=dict, description="Refused versions by number that would otherwise be served."
    )
    last_refused: LastRefused | None = Field(None, description="The latest refused version, whatever its number.")

    def moved_to(self, version: int) -> "Versions":
        """Make another version current."""
        previous = (*self.previous, self.current)[-HISTORY:]
        refused = {number: why for number, why in self.refused.items() if number > version}
        highest = max(self.highest, version)
        return Versions(
            current=version, previous=previous, highest=highest, refused=refused, last_refused=self.last_refused
        )

    def rolled_back(self) -> "Versions":
        """Make the previous version current. Raises ``LookupError`` if there is none."""
        if not self.previous:
            raise LookupError("no version was served before this one")
        back = {"current": self.previous[-1], "previous": self.previous[:-1]}
        return self.model_copy(update={**back, "digest": "", "since": now()})

    def with_digest(self, digest: str) -> "Versions":
        """Set the digest of the current version's files."""
        return self.model_copy(update={"digest": digest})

    def with_refused(self, refused: dict[int, Refused]) -> "Versions":
        """Replace the refused versions."""
        return self.model_copy(update={"refused": refused})


class Begun(Closed):
    """When the current experiment was loaded, so that its requests can be told from those of the one before."""

    time: datetime = Field(default_factory=now)
    requests: dict[str, float] = Field(default_factory=dict, description="Requests by group counted until then.")


class State(Closed):
    """What all workers should serve, in one file, so that models and experiment always match."""

    catalogue: Catalogue = Field(description="The models file as read; it may have changed since.")
    versions: dict[str, Versions] = Field(description="Versions by model, except models fixed to one version.")
    items: int = Field(0, description="Number of requested reloads of the items.")
    started: datetime = Field(default_factory=now, description="When the service started.")
    begun: Begun = Field(default_factory=Begun, description="The beginning of the experiment in `catalogue`.")

    def versions_of(self, catalogue: Catalogue) -> dict[str, Versions]:
        """Versions of the models whose folder is the same in ``catalogue``; others' numbers have no meaning there."""
        return {
            name: versions
            for name, versions in self.versions.items()
            if name in catalogue.models and catalogue.models[name].artifact == self.catalogue.models[name].artifact
        }

    def with_versions(self, model: str, versions: Versions) -> "State":
        """Replace the versions of one model."""
        return self.model_copy(update={"versions": {**self.versions, model: versions}})

    def with_new_items(self) -> "State":
        """Request all workers to check their items files."""
        return self.model_copy(update={"items": self.items + 1})

    def with_experiment(self, experiment: Experiment | None, begun: Begun) -> "State":
        """Replace the experiment."""
        catalogue = self.catalogue.model_copy(update={"experiment": experiment})
        return self.model_copy(update={"catalogue": catalogue, "begun": begun})


class Serving(Closed):
    """Versions and experiment that one worker serves."""

    models: dict[str, int]
    experiment: str | None = Field(None, description="The experiment's revision.")


class StateError(RuntimeError):
    """The state cannot be written, for example on a full disk; the message names the folder and the reason."""


class SharedState:
    """One worker's access to the shared folder."""

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
        """Stamp of a state file that cannot be parsed."""
        self._make()

    def state(self) -> State | None:
        """The state, or ``None`` before the service has written one. Costs one ``stat`` call if unchanged.

        If the file was removed or damaged, this is the last state read.
        """
        file = self._folder / "state.json"
        seen = self._seen
        try:
            stamp = _stamp(file)
            if stamp != self._damaged and (seen is None or seen[0] != stamp):
                seen = self._seen = (stamp, State.model_validate_json(file.read_bytes()))
        except FileNotFoundError:
            pass
        except ValidationError as error:  # truncated, or from another release
            self._damaged = stamp
            event(logging.ERROR, "state not readable", file=str(file), reason=str(error.errors()[0]["msg"]))
        return None if seen is None else seen[1]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock on the state while the block runs, so that no other worker changes it."""
        self._make()
        with locked(self._folder / "state.lock"):
            self._make()  # where somebody removed the folder while this waited
            if self._seen is not None:
                self._seen = (0, self._seen[1])
            yield

    def write(self, state: State) -> None:
        """Replace the state, within :meth:`alone`. Raises ``StateError``, and then the state is unchanged."""
        file = self._folder / "state.json"
        try:
            replace_file(file, state.model_dump_json().encode())
        except OSError as error:
            raise StateError(f"{self._folder} cannot be written to: {error.strerror or error}") from None
        self._seen = (0, state)

    def report(self, serving: Serving) -> None:
        """Report what this worker serves; if the disk is full, only ``/admin/status`` misses it."""
        self._serving = serving
        try:
            replace_file(self._own, serving.model_dump_json().encode())
            self._problems.end("report")
        except OSError as error:
            if self._problems.note("report", str(error)):
                event(logging.ERROR, "worker not listed", reason=str(error))

    def mend(self) -> list[str]:
        """Restore the folder and files that others have removed; return the names of what was missing.

        Each worker restores its own file; the first one to notice restores the state.
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
        """What every living worker serves, by process id."""
        serving = {}
        for file in self._files():
            with suppress(FileNotFoundError, ValidationError):  # it is ending, or its file was damaged
                if _lives(file):
                    serving[_pid(file)] = Serving.model_validate_json(file.read_bytes())
        return serving

    def dead_workers(self) -> list[int]:
        """Process ids of workers that died since the last call, except ids already reused by another worker."""
        files = self._files()
        dead = [file for file in files if not _lives(file)]
        for file in dead:
            file.unlink(missing_ok=True)
        living = {_pid(file) for file in files if file not in dead}  # ids are reused
        return [_pid(file) for file in dead if _pid(file) not in living]

    def is_leader(self) -> bool:
        """Whether this worker is the leader, which does single-worker tasks; another takes over when it ends."""
        file = self._folder / "watch.lock"
        if self._leading is not None and not is_still(file, self._leading):
            os.close(self._leading)  # removed: another worker may have recreated it
            self._leading = None
        if self._leading is None:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not lock(handle, wait=False):
                os.close(handle)
                return False
            self._leading = handle
        return True

    def leave(self) -> None:
        """Withdraw this worker's report and release its locks."""
        self._own.unlink(missing_ok=True)
        for handle in (self._leading, self._lock):
            if handle is not None:
                os.close(handle)
        self._leading = self._lock = self._serving = None

    def _make(self) -> None:
        """Create the folder if needed, and lock it to mark its service as alive."""
        self._workers.mkdir(parents=True, exist_ok=True)
        if self._lock is not None and not is_still(self._folder, self._lock):
            os.close(self._lock)
            self._lock = None
        if self._lock is None:
            self._lock = hold(self._folder)

    def _files(self) -> list[Path]:
        return sorted(self._workers.glob("[0-9]*-[0-9]*.json"))


def _stamp(file: Path) -> int:
    """A number that changes whenever the file is replaced. Raises ``FileNotFoundError``."""
    facts = file.stat()
    return facts.st_mtime_ns ^ facts.st_ino


def _pid(file: Path) -> int:
    return int(file.stem.partition("-")[0])


def _lives(file: Path) -> bool:
    """Whether the process that wrote a worker's file is alive, as opposed to a later one with its id."""
    return start_time(_pid(file)) == int(file.stem.partition("-")[2])
