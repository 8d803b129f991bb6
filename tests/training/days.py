"""Rows of single days, and a small model that is carried from one to the next."""

from typing import Any

import numpy as np
import pandas as pd

from training.config.experiment import Experiment, checked

CONFIG: dict[str, Any] = {
    "data": {"split": {"by": "random", "fraction": 0.2}},
    "daily": {"day": "date"},
    "schema": {
        "context": {"user": {"kind": "categorical", "dimension": 3}},
        "candidate": {
            "item": {"kind": "categorical", "dimension": 4, "min_count": 2, "expire_after": 2},
            "shelf": {"kind": "categorical", "dimension": 4},
            "price": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}},
        "label_statistics": {"of": ["item"]},
    },
    "architecture": {"name": "shared_bottom", "bottom": [4], "towers": [3]},
    "optimizer": {"dense": {"name": "adam"}, "embeddings": {"name": "adam", "learning_rate": 0.01}},
    "training": {"epochs": 2, "batch_size": 64},
    "early_stopping": None,
    "evaluation": {"bootstrap": 0},
}


def rows(day: int, items: str, seed: int) -> pd.DataFrame:
    """Forty rows for each item of a text, by one of three users."""
    random, names = np.random.default_rng(seed), list(items) * 40
    count = len(names)
    values = {"user": random.choice(["u", "v", "w"], count), "shelf": random.integers(0, 3, count)}
    labels = {task: random.integers(0, 2, count) for task in ("click", "like")}
    return pd.DataFrame({"date": f"2026-01-{day:02}", "item": names, "price": random.random(count), **values, **labels})


def config(**changes: Any) -> Experiment:
    """The config with changes to its schema."""
    return checked({**CONFIG, "schema": {**CONFIG["schema"], **changes}})
