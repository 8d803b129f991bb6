"""Each user's latest clicks, tracked during simulation."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.simulator.population import Ints


class Histories:
    """The latest ``length`` clicked items of each user. Memory: users * length * 4 bytes, independent of the log."""

    def __init__(self, users: int, length: int) -> None:
        self._length = length
        self._latest = np.zeros((users, length), dtype=np.int32)  # oldest first
        self._counts = np.zeros(users, dtype=np.int64)

    def of(self, users: Ints) -> pa.ListArray:
        """The latest clicks, latest last, of each of ``users`` [S]: S lists of item ids."""
        counts = self._counts[users]
        starts = np.arange(users.size) * self._length
        return _slices(self._latest[users].ravel(), starts, starts + counts)

    def extend(self, users: Ints, items: Ints, clicks: npt.NDArray[np.generic]) -> pa.ListArray:
        """Add the clicks of sessions in order; return the click history before each session.

        ``users`` [S], ``items`` and ``clicks`` [S, P] -> S lists of at most ``length`` item ids, latest last.
        """
        clicked = clicks.astype(bool)
        touched, who = np.unique(users, return_inverse=True)
        per_session = clicked.sum(axis=1)
        old, new = self._counts[touched], np.bincount(who, weights=per_session, minlength=touched.size).astype(np.int64)

        # Concatenate the users' clicks in `line`: per user, the stored clicks, then those of these sessions.
        ends = np.cumsum(old + new)
        begins = ends - old - new
        line = np.zeros(int(ends[-1]) if ends.size else 0, dtype=np.int32)
        places = np.arange(self._length)
        kept = places < old[:, None]
        line[(begins[:, None] + places)[kept]] = self._latest[touched][kept]

        # Offset in `line` of each session's clicks; a user's sessions follow each other in order.
        by_user = np.argsort(who, kind="stable")
        before = np.cumsum(per_session[by_user]) - per_session[by_user]
        first = np.concatenate([[0], np.cumsum(new)[:-1]])[who[by_user]] if who.size else before
        session_begins = np.empty_like(before)
        session_begins[by_user] = (begins + old)[who[by_user]] + before - first
        rank = np.cumsum(clicked, axis=1) - 1
        line[(session_begins[:, None] + rank)[clicked]] = items[clicked]

        starts = np.maximum(begins[who], session_begins - self._length)
        result = _slices(line, starts, session_begins)

        starts = np.maximum(begins, ends - self._length)
        self._counts[touched] = ends - starts
        kept = places < (ends - starts)[:, None]
        update = np.zeros((touched.size, self._length), dtype=np.int32)
        update[kept] = line[(starts[:, None] + places)[kept]]
        self._latest[touched] = update
        return result


def _slices(values: npt.NDArray[np.int32], starts: Ints, stops: Ints) -> pa.ListArray:
    """Lists of int64: values[starts[i]:stops[i]] for each i."""
    sizes = stops - starts
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    at = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), pa.array(values[at].astype(np.int64)))
