"""Adds the users' earlier history to the KuaiRand log: sequences of videos, of their authors and tags, and counts.

    python -m benchmarks.kuairand_log LOG.parquet HISTORY.parquet OUTPUT.parquet

For each impression of a user with a history, adds the user's last watched, long-watched and liked videos, and in the
same order their authors and tags (null for a video that the log does not have); the length
of the history, the logits of its smoothed shares of long watches and likes, and the hours since its last event; and,
over all users' histories, the video's number of watches and the logits of its smoothed shares.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer

SEQUENCES = ("watch_seq", "long_watch_seq", "like_seq")
HOUR_MS = 3_600_000
Floats = npt.NDArray[np.float64]


def main(
    log: Annotated[Path, typer.Argument(help="The impressions, Parquet.")],
    history: Annotated[Path, typer.Argument(help="The users' histories, Parquet.")],
    output: Annotated[Path, typer.Argument(help="Where to write the joined log.")],
) -> None:
    """Join and write."""
    rows, users = pd.read_parquet(log), pd.read_parquet(history)
    position = pd.Index(users["user_id"]).get_indexer(rows["user_id"])
    known = position >= 0
    lengths = {name: users[name].map(len).to_numpy(dtype=np.float64) for name in SEQUENCES}
    events = users["history_len"].to_numpy(dtype=np.float64)
    of_user = {
        "h_events": events,
        "h_long_watched": lengths["long_watch_seq"],
        "h_long_watch_logit": _logit((lengths["long_watch_seq"] + 5) / (lengths["watch_seq"] + 20)),
        "h_like_logit": _logit((lengths["like_seq"] + 0.2) / (events + 10)),
    }
    for name, values in of_user.items():
        rows[name] = np.where(known, values[position], np.nan)
    last = users["last_time_ms"].to_numpy(dtype=np.float64)[position]
    rows["h_hours_since"] = np.where(known, (rows["time_ms"].to_numpy(dtype=np.float64) - last) / HOUR_MS, np.nan)
    for name in SEQUENCES:
        lists = users[name].to_numpy()
        rows[name] = [lists[i].tolist() if i >= 0 else [] for i in position]
    for of, tables in _of_videos(rows).items():
        for name in SEQUENCES:
            lists = [[value for video in videos for value in tables.get(video, [None])] for videos in users[name]]
            rows[f"{name}_{of}"] = [lists[i] if i >= 0 else [] for i in position]
    watched, long_watched, liked = (
        _times_seen(users[name].to_numpy(), rows["video_id"].to_numpy()) for name in SEQUENCES
    )
    rows["h_video_watched"] = watched
    rows["h_video_long_watch_logit"] = _logit((long_watched + 10) / (watched + 20))
    rows["h_video_like_logit"] = _logit((liked + 0.2) / (watched + 10))
    output.parent.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(output, compression="zstd", index=False, row_group_size=32_768)


def _of_videos(rows: pd.DataFrame) -> dict[str, dict[int, list[Any]]]:
    """The author and the tags of each video of the log, as lists."""
    videos = rows.drop_duplicates("video_id")
    ids = videos["video_id"].tolist()
    tags = [[None] if text == "unknown" else text.split(",") for text in videos["i_tag"].astype(str)]
    return {
        "authors": {video: [author] for video, author in zip(ids, videos["i_author_id"].tolist(), strict=True)},
        "tags": dict(zip(ids, tags, strict=True)),
    }


def _logit(share: Floats) -> Floats:
    # A long watch need not be among the kept watches, so that a share may exceed 1.
    share = np.clip(share, 1e-4, 1 - 1e-4)
    return np.log(share / (1 - share))


def _times_seen(sequences: npt.NDArray[np.object_], video_id: npt.NDArray[np.int64]) -> Floats:
    """Number of occurrences of each of `video_id` [N] in all sequences."""
    seen, times = np.unique(np.concatenate(list(sequences)), return_counts=True)
    position = np.minimum(np.searchsorted(seen, video_id), len(seen) - 1)
    return np.where(seen[position] == video_id, times[position], 0).astype(np.float64)


if __name__ == "__main__":
    typer.run(main)
