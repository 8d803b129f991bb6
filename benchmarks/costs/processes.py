"""Runs a stage in a process of its own; processor time of trees of processes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.costs.inputs import ROOT, Inputs

TICK = os.sysconf("SC_CLK_TCK")
Found = dict[str, float]
"""Measured quantities by name: ``cpu_s``, ``wall_s``, ``bytes``, ``memory_bytes`` and those of the stage."""


class Clock:
    """Wall and processor time of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def times(self) -> Found:
        """Seconds of the wall's clock, and of the processor over all threads."""
        return {"wall_s": time.perf_counter() - self._wall, "cpu_s": time.process_time() - self._cpu}


def in_process(inputs: Inputs, stage: str, **size: Any) -> Found:
    """What a stage measures of itself, with the peak resident memory of its process."""
    command = [sys.executable, "-m", "benchmarks.costs", stage, inputs.to_json(), json.dumps(size)]
    with (inputs.work / f"{stage}.stderr").open("w+b") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        lines = [line for line in process.stdout if line.startswith("{")]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        errors.seek(0)
        if status or not lines:
            raise SystemExit(f"error: the stage {stage} failed:\n{errors.read()[-3000:].decode(errors='replace')}")
    return {"memory_bytes": usage.ru_maxrss * 1024, **json.loads(lines[-1])}


def cpu_of(pid: int) -> float:
    """Processor seconds of a living process and all below it, the ended ones that it waited for included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICK + sum(cpu_of(child) for child in children(pid))


def memory_of(pid: int) -> int:
    """Peak resident bytes of a living process and all below it; pages that they share count for each."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return peak + sum(map(memory_of, children(pid)))


def children(pid: int) -> list[int]:
    """Living children of a process."""
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def stored(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
