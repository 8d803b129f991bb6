"""A log with columns of many kinds, and what is in a folder of encoded rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.config.experiment import Experiment, checked


def log_frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """Requests of one to eight rows; ``dropped`` marks those whose `buy` contradicts their `click`."""
    random = np.random.default_rng(seed)
    requests = np.repeat(np.arange(rows), random.integers(1, 9, rows))[:rows]
    users = random.integers(0, 40, rows)[requests]
    frame = pd.DataFrame({"request": requests + seed * rows, "user": users})
    frame["item"] = random.integers(0, 30, rows)
    frame["price"] = random.random(rows).round(3)
    frame["day"] = [f"2026-01-{day:02}" for day in 1 + np.arange(rows) * 9 // rows]
    frame["weight"] = random.random(rows).round(2)
    frame["click"] = random.integers(0, 2, rows)
    frame["buy"] = frame["click"] * random.integers(0, 2, rows)
    wrong = random.random(rows) < 0.02
    frame.loc[wrong & (frame["click"] == 0), "buy"] = 1
    frame["dropped"] = (frame["click"] == 0) & (frame["buy"] == 1)
    return frame


def many_columns(changes: dict[str, Any], schema: dict[str, Any]) -> Experiment:
    """An experiment on such a log, with changes."""
    content: dict[str, Any] = {
        "data": {"split": {"by": "random", "fraction": 0.3}},
        "schema": {
            "context": {"user": {"kind": "categorical", "type": "integer"}},
            "candidate": {
                "item": {"kind": "categorical", "type": "integer", "min_count": 3},
                "price": {"kind": "numeric"},
            },
            "tasks": {
                "click": {"kind": "binary"},
                "buy": {"kind": "binary", "given": "click", "given_conflicts": "drop"},
            },
            "sample_weight": "weight",
            "label_statistics": {"of": ["item"], "folds": 3},
            **schema,
        },
        "architecture": {"name": "shared_bottom"},
        "evaluation": {"group_by": "request"},
        **changes,
    }
    return checked(content)


def contents(folder: Path) -> dict[str, bytes]:
    """Names and bytes of all files in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
