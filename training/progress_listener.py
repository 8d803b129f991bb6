"""Callbacks that report a run's progress."""

from collections.abc import Callable
from dataclasses import dataclass, replace
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
    model: Callable[[str], None] = _ignore
    """Which model the steps and epochs that follow are of, if a run trains several: ``member 1 of 3``."""

    def once(self) -> "RunListener":
        """The same, but a line of text that was given before is not given again: members of a run repeat some."""
        said: set[str] = set()

        def note(text: str) -> None:
            if text not in said:
                said.add(text)
                self.note(text)

        return replace(self, note=note)
