"""A log to be split, and its rows on both sides."""

import numpy as np
import pandas as pd

from ranker.log_files.log_reader import Log
from tests.training.stored import file_of
from training.config.data import SplitByGroup, SplitByTime
from training.data.split.held_out import split

ROWS = 3000
FRAME = pd.DataFrame(
    {
        "row": np.arange(ROWS),
        "time": np.arange(ROWS) * 1000,
        "date": np.arange(ROWS) // 300,
        "text": [f"2026-01-{1 + i // 300:02d}" for i in range(ROWS)],
        "us": [f"1/{1 + i // 300}/2026" for i in range(ROWS)],
        "ymd": [20260101 + i // 300 for i in range(ROWS)],
        "stamp": pd.to_datetime([f"2026-01-{1 + i // 300:02d}" for i in range(ROWS)]),
    }
)
FRAME["moment"] = FRAME["stamp"] + pd.to_timedelta(np.arange(ROWS) % 300 * 60, unit="s")


def parts(rule, source=FRAME, seed=0):
    made = split(Log([file_of(source)]), rule, seed)
    both = []
    for side in (made.training, made.validation):
        both.append([r for chunk, mask in side(["row"]) for r in np.asarray(chunk.columns["row"])[mask].tolist()])
    return both


def time(**way):
    return SplitByTime(by="time", **way)


def group(**way):
    return SplitByGroup(by="group", **way)
