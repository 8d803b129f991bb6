"""KuaiRand-Pure as used by all benchmarks: tasks, feature columns, split by day. Needs only pandas.

Gao et al., "KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos", CIKM 2022.
The file is one Parquet table, a row per impression; `benchmarks/README.md` lists its columns.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TASKS = ("is_click", "long_view", "is_like", "is_profile_enter")

# Ids, codes and ranges, whose order has no meaning. Outcomes are in neither list, nor are columns that duplicate
# another one (the upload date, given the age) or are constant in this log (is_lowactive_period).
CATEGORICAL = (
    "user_id",
    "video_id",
    "hour",
    "tab",
    "u_user_active_degree",
    "u_is_live_streamer",
    "u_is_video_author",
    "u_follow_user_num_range",
    "u_fans_user_num_range",
    "u_friend_user_num_range",
    "u_register_days_range",
    *(f"u_onehot_feat{index}" for index in range(18)),
    "i_author_id",
    "i_video_type",
    "i_upload_type",
    "i_music_id",
    "i_music_type",
    "i_tag",
)
NUMERIC = (
    "duration_ms",
    "u_follow_user_num",
    "u_fans_user_num",
    "u_friend_user_num",
    "u_register_days",
    "u_prior_impressions",
    "u_prior_likes_last50",
    "i_video_duration",
    "i_server_width",
    "i_server_height",
    "i_prior_seen",
    "i_age_days",
)
DAY = "date"


class Log(NamedTuple):
    """The impression log as arrays of N rows in time order."""

    codes: dict[str, Ints]
    """Codes from 0 of each categorical column, [N] each."""
    numbers: dict[str, Floats]
    """The raw numeric columns, NaN where missing, [N] each."""
    labels: Floats
    """0 or 1, [N, T] in the order of `TASKS`."""
    day: Ints
    """Days since the first one, [N]."""
    time_ms: Ints
    """Time of the impression in milliseconds since 1970, [N]."""
    user_id: Ints
    """Raw user ids, [N]."""
    video_id: Ints
    """Raw video ids, [N]."""


def load(path: Path) -> Log:
    """Read the log; rows come back in time order.

    Raises
    ------
    FileNotFoundError
        The path is not a file.
    ValueError
        A column is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; benchmarks/README.md describes the expected table")
    frame = pd.read_parquet(path)
    missing = [name for name in (*CATEGORICAL, *NUMERIC, *TASKS, DAY, "time_ms") if name not in frame]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; benchmarks/README.md lists them all")
    frame = frame.sort_values("time_ms", kind="stable")
    dates = pd.to_datetime(frame[DAY])
    return Log(
        codes={name: codes(frame[name].to_numpy()) for name in CATEGORICAL},
        numbers={name: frame[name].to_numpy(dtype=np.float64) for name in NUMERIC},
        labels=frame[list(TASKS)].to_numpy(dtype=np.float64),
        day=(dates - dates.min()).dt.days.to_numpy(dtype=np.int64),
        time_ms=frame["time_ms"].to_numpy(dtype=np.int64),
        user_id=frame["user_id"].to_numpy(dtype=np.int64),
        video_id=frame["video_id"].to_numpy(dtype=np.int64),
    )


def codes(values: npt.NDArray[np.generic]) -> Ints:
    """Number the distinct values of a column [N] from 0, sorted by their text, so that reruns agree."""
    return np.unique(values.astype(str) if values.dtype == object else values, return_inverse=True)[1].astype(np.int64)
