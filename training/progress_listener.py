"""Callbacks that report a run's progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, int], None]
"""Called with the stage and the rows processed since the last call."""


def no_progress(stage: str, rows: int) -> None:
    """Report nothing."""


def _ignore(*event: object) -> None:
    del event


@dataclass(frozen=True)
class RunListener:
    """Callbacks of a training run, all optional."""

    rows: Progress = no_progress
    """Stage, and rows processed since the last call."""
    note: Callable[[str], None] = _ignore
    """A line of text."""
    step: Callable[[int, int, int, dict[str, float]], None] = _ignore
    """Epoch and step (from 1), steps per epoch, loss by task."""
    refit_step: Callable[[int, int, int, dict[str, float]], None] = _ignore
    """The same, of the second training of ``training.refit``."""
    epoch: Callable[[dict[str, Any]], None] = _ignore
    """Record of an epoch: number, whether it is the best so far, training losses, validation metrics."""
