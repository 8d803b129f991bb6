"""What a joined log remembers between runs, and how a run's files appear all at once.

A run writes everything into ``_join/work``, then the file ``_join/next.json`` with the new state and where each file
goes, then moves the files, and last renames ``next.json`` to ``state.json``. Killed before ``next.json``, a run has
changed nothing; killed after it, the next run first does the rest. So no row is ever written twice or lost.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from ranker.config.closed import Closed
from ranker.file_locks import lock
from ranker.files import replace_file, sync
from ranker.log_files.log_reader import DataError

FOLDER, WORK = "_join", "work"
"""Folder of the state within the log, which readers of logs skip, and that of a run within it."""
FORMAT = 1


class ReadFile(Closed):
    """How much of an exposure file is in the log."""

    through: int = Field(description="Rows up to this time are in it, in milliseconds since 1970.")
    done: bool = Field(description="Whether all of its rows are.")


class Settings(Closed):
    """What must not change from run to run, because rows that were written are not written again."""

    labels: tuple[str, ...]
    within: float = Field(description="Seconds.")
    model: str | None
    columns: tuple[str, ...] = Field(description="Columns of features and others that the config reads.")


class Index(Closed):
    """A sorted file of keys of what was decided, and when its latest was."""

    name: str
    until: int


class State(Closed):
    """Content of ``state.json``."""

    format: int = FORMAT
    run: int = 0
    watermark: int = Field(0, description="Exposures up to this time are written, in milliseconds since 1970.")
    settings: Settings | None = None
    exposures: dict[str, ReadFile] = Field({}, description="By name, the files that were read.")
    events: dict[str, str] = Field({}, description="Size and time of each file of events that was read.")
    pending: str | None = Field(None, description="File of the events whose exposure is not written yet.")
    shown: tuple[Index, ...] = ()
    shown_users: tuple[Index, ...] = ()
    decided: tuple[Index, ...] = ()
    by_user: bool = Field(False, description="Whether events were ever matched by user.")
    kinds: tuple[str, ...] = Field((), description="Kinds of all events so far.")
    moves: dict[str, str] = Field({}, description="Files of an unfinished commit, relative to the log.")


class JoinFolder:
    """The folder of a joined log, locked by this process."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.folder = log / FOLDER
        self.work = self.folder / WORK

    @property
    def state(self) -> State:
        """The state after the last run. Raises ``DataError`` if it cannot be read."""
        return _read(self.folder / "state.json")

    def commit(self, state: State, files: Mapping[Path, Path]) -> None:
        """Move files from ``work`` to where they belong, and keep the state, both or neither."""
        moves = {str(source.relative_to(self.log)): str(file.relative_to(self.log)) for source, file in files.items()}
        for source in files:
            sync(source)
        planned = state.model_copy(update={"moves": moves})
        replace_file(self.folder / "next.json", planned.model_dump_json(indent=1).encode())
        self.finish()

    def finish(self) -> None:
        """Do what is left of a commit, if one was begun, and remove the rest of an unfinished run."""
        planned = self.folder / "next.json"
        if planned.exists():
            state = _read(planned)
            for source, file in state.moves.items():
                if (self.log / source).exists():  # else it was moved before the process was killed
                    (self.log / file).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(self.log / source, self.log / file)
            done = state.model_copy(update={"moves": {}})
            replace_file(self.folder / "state.json", done.model_dump_json(indent=1).encode())
            planned.unlink()
        shutil.rmtree(self.work, ignore_errors=True)
        kept = self._kept(self.state)
        for left in self.folder.glob("*-*.*"):
            if left.name not in kept:
                left.unlink()

    @staticmethod
    def _kept(state: State) -> set[str]:
        indices = (*state.shown, *state.shown_users, *state.decided)
        return {index.name for index in indices} | ({state.pending} if state.pending else set())


@contextmanager
def join_folder(log: Path) -> Iterator[JoinFolder]:
    """Lock the folder of a joined log, after finishing what a killed run left.

    Raises ``DataError`` while another process joins into it, and if it holds other files.
    """
    folder = log / FOLDER
    if log.exists() and not folder.exists() and any(not path.name.startswith(".") for path in log.iterdir()):
        raise DataError(f"{log}: holds files, but none of a join; choose an empty or a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as handle:
        if not lock(handle, wait=False):
            raise DataError(f"{log}: another process joins into this folder")
        found = JoinFolder(log)
        found.finish()
        yield found


def check_same(before: Settings | None, now: Settings, log: Path) -> None:
    """Raise ``DataError`` naming the setting with which earlier rows of the log were written."""
    if before is None:
        return
    for name in Settings.model_fields:
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            raise DataError(
                f"{log}: was begun with {_shown(name, old)}, and this run has {_shown(name, new)}; rows that are "
                "written do not change, so choose another --output"
            )


def _shown(name: str, value: object) -> str:
    option = {"labels": "--label", "within": "--within", "model": "--model", "columns": "the columns"}[name]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{option} {', '.join(map(str, value))}"
    return f"no {option}" if value is None else f"{option} {value}{'s' if name == 'within' else ''}"


def _read(file: Path) -> State:
    try:
        state = State.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return State()
    except ValidationError as error:
        raise DataError(f"{file}: is not the state of a join that this version reads: {error}") from None
    if state.format != FORMAT:
        raise DataError(f"{file}: is of format {state.format}; this version reads format {FORMAT}")
    return state
