"""Activity and start time of a process, from Linux's ``/proc``."""

import os
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
STATE, USER_TIME, SYSTEM_TIME, START_TIME = 0, 11, 12, 19
"""Fields of a ``stat`` file, counted from the first one after the command's name."""


class Activity(NamedTuple):
    """CPU time and state of a process."""

    loop_seconds: float
    """CPU time of its main thread, which runs the event loop."""
    seconds: float
    """CPU time of all threads."""
    runnable: bool
    """Whether a thread is running, waiting for a core, or waiting for the disk."""


def activity(pid: int) -> Activity | None:
    """Activity of all threads of a process; ``None`` if it has ended."""
    loop, total, runnable = 0.0, 0.0, False
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = _fields(task / "stat")
            seconds = (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / TICKS
            total += seconds
            runnable |= fields[STATE] in ("R", "D")
            if task.name == str(pid):
                loop = seconds
    except OSError:  # the process or one of its threads has ended
        return None if start_time(pid) is None else Activity(loop, total, runnable=True)
    return Activity(loop, total, runnable)


def start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; ``None`` if it does not exist or has ended.

    Process ids are reused; an id together with its start time identifies one process.
    """
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except OSError:
        return None
    return None if fields[STATE] in ("Z", "X") else int(fields[START_TIME])


def _fields(file: Path) -> list[str]:
    return file.read_text().rpartition(")")[2].split()
