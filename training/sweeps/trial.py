"""One trial of a sweep: its config, and the varied values that identify it."""

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
class Trial:
    """One trial: the values of the varied keys as text, the seed, and the full config."""

    values: Mapping[str, str]
    seed: int
    experiment: Experiment

    @property
    def name(self) -> str:
        """Label of the varied values; the same for all seeds."""
        return label(self.values)

    @property
    def folder(self) -> str:
        """Folder name, unique per trial."""
        whole = "+".join(f"{key}={value}" for key, value in self.values.items()) or "as-configured"
        text = "".join(c if c.isalnum() or c in "._-=" else "-" for c in whole)
        mark = f"-{hashlib.sha256(whole.encode()).hexdigest()[:8]}" if text != whole or len(text) > _LONGEST else ""
        return f"{text[:_LONGEST]}{mark}+seed={self.seed}"


@dataclass(frozen=True)
class TrialResult:
    """A finished trial: its folder, its encoded rows, and its result or ``{"error": ...}``."""

    trial: Trial
    folder: Path
    rows: Path
    result: dict[str, Any]

    @property
    def error(self) -> str | None:
        """The error message, if the trial failed."""
        return self.result.get("error")


def label(values: Mapping[str, str]) -> str:
    """The values joined, with their keys unless the value is the name of a class."""
    shown = [value if key in CHOICES else f"{key.rpartition('.')[2]}={value}" for key, value in values.items()]
    return ", ".join(shown) or "as configured"


def checked(raw: dict[str, Any], change: str) -> Experiment:
    """Validate a changed config, given as plain data. Raises ``ConfigError`` naming the change."""
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{change}: {'; '.join(explain(error, Experiment, None))}") from None
