"""What Linux says about a process, from ``/proc``."""

import os
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
STATE, USER_TIME, SYSTEM_TIME, START_TIME = 0, 11, 12, 19
"""Fields of a ``stat`` file, counted from the one behind the command's name."""


class Activity(NamedTuple):
    """How much a process has worked so far."""

    loop_seconds: float
    """CPU time of its main thread, which runs the event loop."""
    seconds: float
    """CPU time of all threads."""
    runnable: bool
    """Whether a thread runs, waits for a core, or waits for the disk."""


def activity(pid: int) -> Activity | None:
    """Look at all threads of a process; ``None`` where it has ended."""
    loop, total, runnable = 0.0, 0.0, False
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = _fields(task / "stat")
            seconds = (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / TICKS
            total += seconds
            runnable |= fields[STATE] in ("R", "D")
            if task.name == str(pid):
                loop = seconds
    except OSError:  # it has ended, or a thread of it has
        return None if start_time(pid) is None else Activity(loop, total, runnable=True)
    return Activity(loop, total, runnable)


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; ``None`` where none has the id, or it has ended.

    Process ids are used again; an id together with this names one process only.
    """
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except OSError:
        return None
    return None if fields[STATE] in ("Z", "X") else int(fields[START_TIME])


def _fields(file: Path) -> list[str]:
    return file.read_text().rpartition(")")[2].split()
