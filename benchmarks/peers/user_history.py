"""Features from KuaiRand's user history: earlier events of each user, and of all users with each video."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.kuairand import Floats, Ints, Log

SEQUENCES = ("watch_seq", "long_watch_seq", "like_seq")
HOUR_MS = 3_600_000


def features(path: Path, log: Log) -> Floats:
    """Columns [N, 9] for the impressions of `log`; NaN for users without a history.

    For the user: the length of the history and of the watch and long-watch sequences, the smoothed shares of long
    watches and likes, hours since the last event. For the video, over all users: the smoothed shares of long
    watches and likes, and the number of watches.

    Raises
    ------
    ValueError
        A column is missing.
    """
    frame = pd.read_parquet(path)
    missing = [name for name in ("user_id", "history_len", "last_time_ms", *SEQUENCES) if name not in frame]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}; benchmarks/README.md lists them all")
    lengths = {name: frame[name].map(len).to_numpy(dtype=np.float64) for name in SEQUENCES}
    events = frame["history_len"].to_numpy(dtype=np.float64)
    per_user = np.column_stack(
        [
            events,
            lengths["watch_seq"],
            lengths["long_watch_seq"],
            (lengths["long_watch_seq"] + 5) / (lengths["watch_seq"] + 20),
            (lengths["like_seq"] + 0.2) / (events + 10),
            frame["last_time_ms"].to_numpy(dtype=np.float64),
        ]
    )
    position = pd.Index(frame["user_id"]).get_indexer(log.user_id)
    of_user = np.where((position >= 0)[:, None], per_user[position], np.nan)
    of_user[:, -1] = (log.time_ms - of_user[:, -1]) / HOUR_MS
    watched, long_watched, liked = (_times_seen(frame[name].to_numpy(), log.video_id) for name in SEQUENCES)
    of_video = [(long_watched + 10) / (watched + 20), (liked + 0.2) / (watched + 10), watched]
    return np.column_stack([of_user, *of_video])


def _times_seen(sequences: npt.NDArray[np.object_], video_id: Ints) -> Floats:
    """Number of occurrences of each of `video_id` [N] in all sequences."""
    seen, times = np.unique(np.concatenate(list(sequences)), return_counts=True)
    position = np.minimum(np.searchsorted(seen, video_id), len(seen) - 1)
    return np.where(seen[position] == video_id, times[position], 0).astype(np.float64)
