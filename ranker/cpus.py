"""Number of cores available to this process, respecting a container's CPU limit."""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores(quota: Path = QUOTA) -> int:
    """Cores that the process may run on, at most its container's CPU limit (cgroup v2) rounded up."""
    allowed = len(os.sched_getaffinity(0))
    try:
        micros, period = quota.read_text().split()
        return max(min(allowed, -(-int(micros) // int(period))), 1)
    except (OSError, ValueError):  # no such file, or "max" for no limit
        return allowed
