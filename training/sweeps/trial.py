"""What one training of many is: its config, and what tells it from the others."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ranker.config.errors import explain
from training.config.experiment import CHOICES, ConfigError, Experiment

_LONGEST = 100


@dataclass(frozen=True)
class Cell:
    """One training: the values of the varied keys as text, the seed, and the whole config."""

    values: Mapping[str, str]
    seed: int
    experiment: Experiment

    @property
    def name(self) -> str:
        """What is varied, as a label; the same for all seeds."""
        return label(self.values)

    @property
    def folder(self) -> str:
        """A folder's name, one for each cell."""
        whole = "+".join(f"{key}={value}" for key, value in self.values.items()) or "as-configured"
        text = "".join(c if c.isalnum() or c in "._-=" else "-" for c in whole)
        mark = f"-{hashlib.sha256(whole.encode()).hexdigest()[:8]}" if text != whole or len(text) > _LONGEST else ""
        return f"{text[:_LONGEST]}{mark}+seed={self.seed}"


@dataclass(frozen=True)
class Trained:
    """A cell that was run: its folder, its encoded rows, and its result or ``{"error": ...}``."""

    cell: Cell
    folder: Path
    rows: Path
    result: dict[str, Any]

    @property
    def error(self) -> str | None:
        """What went wrong, if anything."""
        return self.result.get("error")


def label(values: Mapping[str, str]) -> str:
    """Values joined; with its key where the value alone says little."""
    shown = [value if key in CHOICES else f"{key.rpartition('.')[2]}={value}" for key, value in values.items()]
    return ", ".join(shown) or "as configured"


def checked(raw: dict[str, Any], change: str) -> Experiment:
    """A changed config as plain data to an experiment. Raises ``ConfigError`` that names the change."""
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{change}: {'; '.join(explain(error, Experiment, None))}") from None
