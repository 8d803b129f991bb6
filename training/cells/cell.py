"""What one training of many is: its config, and what tells it from the others."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from training.config import CHOICES, Experiment

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


def label(values: Mapping[str, str]) -> str:
    """Values joined; with its key where the value alone says little."""
    shown = [value if key in CHOICES else f"{key.rpartition('.')[2]}={value}" for key, value in values.items()]
    return ", ".join(shown) or "as configured"
