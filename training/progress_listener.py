"""What a caller is told while a run goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, int], None]
"""Called with the stage, and the rows dealt with since the last call."""


def no_progress(stage: str, rows: int) -> None:
    """Report nothing."""


def _ignore(*what: object) -> None:
    del what


@dataclass(frozen=True)
class RunListener:
    """What a caller is told while a run goes on; every part may be left out."""

    rows: Progress = no_progress
    """Stage, and rows dealt with since the last call."""
    note: Callable[[str], None] = _ignore
    """A line of text."""
    step: Callable[[int, int, int, dict[str, float]], None] = _ignore
    """Epoch and step, from 1, steps an epoch, loss by task."""
    epoch: Callable[[dict[str, Any]], None] = _ignore
    """An epoch's record: its number, whether it is the best so far, training losses, validation metrics."""
