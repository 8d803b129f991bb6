"""Which precision a run's matrix products have, and which device it trains on."""

from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from ranker.layers import Precision
from training.config.training import Training

FAST = ("amx_bf16", "avx512_bf16")
"""CPU flags of instructions that multiply bfloat16 faster than float32."""


class Chosen(NamedTuple):
    """A precision, and a line about it and the device for the person who trains."""

    precision: Precision
    line: str


def chosen(training: Training, cpu_flags: frozenset[str] | None = None) -> Chosen:
    """Resolve ``training.precision`` for this machine; ``auto`` is bfloat16 if the device computes it faster.

    ``cpu_flags`` are by default those that Linux reports; elsewhere there are none, so ``auto`` is float32 on a CPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    flags = _cpu_flags() if cpu_flags is None else cpu_flags
    fast = bool(gpus) or not flags.isdisjoint(FAST)
    automatic: Precision = "bfloat16" if fast else "float32"
    precision = automatic if training.precision == "auto" else training.precision
    device = "GPU" if gpus else "CPU"
    line = f"training on the {device}, matrix products in {precision}"
    if precision == "bfloat16" and not fast:
        line += f": slower than float32 on this CPU, which has none of {', '.join(FAST)}"
    return Chosen(precision, line)


def _cpu_flags(file: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Flags of the first CPU. Linux only."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))
