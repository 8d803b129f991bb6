"""Setup shared by all contestants of the training-speed benchmark: one model, one set of features, one batch size.

All sizes are defined here, so that a change applies to all contestants. Needs only NumPy and pandas: the peers'
environment has no `ranker`.
"""

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.kuairand import CATEGORICAL, NUMERIC, load

SHUFFLE_SEED = 2020


@dataclass(frozen=True)
class Setup:
    """A two-level PLE (Tang et al., RecSys 2020): experts per level, and their layer sizes."""

    levels: int = 2
    shared_experts: int = 2
    specific_experts: int = 1
    """Per task."""
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64,)
    embedding_dimension: int = 16
    """Embedding width of each categorical column."""
    learning_rate: float = 1e-3
    """Learning rate of Adam on all variables; no L2, no dropout."""
    batch_size: int = 4096
    threads: int = 2
    warm_up_steps: int = 5
    segment_steps: int = 10


SETUP = Setup()


class TrainingRows(NamedTuple):
    """N rows of all days but the last, encoded and shuffled."""

    ids: npt.NDArray[np.int32]
    """Codes from 0 of the categorical columns, [N, C] in the order of `kuairand.CATEGORICAL`."""
    vocabulary: tuple[int, ...]
    """Number of codes of each categorical column, [C]."""
    numbers: npt.NDArray[np.float32]
    """Logarithms, standardised, 0 where missing, [N, D] in the order of `kuairand.NUMERIC`."""
    labels: npt.NDArray[np.float32]
    """0 or 1, [N, T] in the order of `kuairand.TASKS`."""


def training_rows(path: Path) -> TrainingRows:
    """Read and encode KuaiRand's log. Raises as `kuairand.load`."""
    log = load(path)
    rows = np.flatnonzero(log.day < log.day.max())
    rows = np.random.default_rng(SHUFFLE_SEED).permutation(rows)
    numbers = np.column_stack([np.log1p(np.maximum(log.numbers[name][rows], 0)) for name in NUMERIC])
    spread = np.nanstd(numbers, axis=0)
    standardised = (numbers - np.nanmean(numbers, axis=0)) / np.where(spread > 0, spread, 1)
    return TrainingRows(
        ids=np.column_stack([log.codes[name][rows] for name in CATEGORICAL]).astype(np.int32),
        vocabulary=tuple(int(log.codes[name].max()) + 1 for name in CATEGORICAL),
        numbers=np.nan_to_num(standardised).astype(np.float32),
        labels=log.labels[rows].astype(np.float32),
    )


def batch(number: int, setup: Setup = SETUP) -> slice:
    """The rows of one batch."""
    return slice(number * setup.batch_size, (number + 1) * setup.batch_size)


def full_batches(rows: int, setup: Setup = SETUP) -> int:
    """Number of full batches in one pass over `rows` rows.

    Raises
    ------
    ValueError
        There is not even one.
    """
    count = rows // setup.batch_size
    if not count:
        raise ValueError(f"a batch has {setup.batch_size} rows, the log has {rows} training rows")
    return count


def in_circles(batches: int) -> Iterator[int]:
    """Numbers of batches, epoch after epoch."""
    return itertools.cycle(range(batches))


def serve(*, side: str, rows: int, parameters: int, train: Callable[[int], int], setup: Setup = SETUP) -> None:
    """Warm up, report it, then time one segment for each line of standard input, until it ends.

    Writes lines of JSON to standard output: first `side`, `rows` and `parameters`, then for each segment `side`,
    `samples_per_s` and `step_mib`, the peak memory minus the memory before the first step. A process waiting for its
    turn takes no CPU time, so several can run side by side.

    Parameters
    ----------
    side
        The contestant's name.
    rows
        Rows of an epoch.
    parameters
        Trainable parameters of the model, to show that all contestants train models of the same size.
    train
        Trains for the given number of steps and returns the number of rows, once the last step is done.
    """
    before = _resident("VmRSS")
    train(setup.warm_up_steps)
    print(json.dumps({"side": side, "rows": rows, "parameters": parameters}), flush=True)
    for _ in sys.stdin:
        _forget_peak()
        begun = time.perf_counter()
        trained = train(setup.segment_steps)
        speed = trained / (time.perf_counter() - begun)
        step_mib = _resident("VmHWM") - before
        print(json.dumps({"side": side, "samples_per_s": round(speed, 1), "step_mib": step_mib}), flush=True)


def _resident(field: str) -> float:
    """Memory of this process in MiB: VmRSS is current, VmHWM the peak since the last reset. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
