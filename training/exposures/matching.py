"""Finds what was shown for each event, the latest exposure of its key before it, and what becomes of the event."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.exposures.event_run import Fate
from training.exposures.keys import Keys

Times = npt.NDArray[np.int64]
NONE = -1


def latest(keys: Keys, times: Times, event_keys: Keys, event_times: Times) -> npt.NDArray[np.int64]:
    """For each event [E] the exposure, of N, with its key and the latest time not after it; ``NONE`` without one.

    Exposures of one key at one time are equal but for their order: the last counts.
    """
    count = keys.size
    if not count or not event_keys.size:
        return np.full(event_keys.size, NONE)
    is_event = np.concatenate([np.zeros(count, dtype=np.int8), np.ones(event_keys.size, dtype=np.int8)])
    both = np.concatenate([keys, event_keys])
    order = np.lexsort((is_event, np.concatenate([times, event_times]), both))
    before = np.maximum.accumulate(np.where(is_event[order] == 0, np.arange(order.size), NONE))
    found = np.empty(event_keys.size, dtype=np.int64)
    events = np.flatnonzero(is_event[order])
    exposure = order[before[events]]
    same = (before[events] >= 0) & (both[exposure] == both[order[events]])
    found[order[events] - count] = np.where(same, exposure, NONE)
    return found


def earliest(keys: Keys, times: Times, event_keys: Keys) -> npt.NDArray[np.int64]:
    """For each event [E] the first exposure, of N, with its key; ``NONE`` without one."""
    if not keys.size:
        return np.full(event_keys.size, NONE)
    order = np.lexsort((times, keys))
    at = np.minimum(np.searchsorted(keys[order], event_keys), keys.size - 1)
    return np.where(keys[order][at] == event_keys, order[at], NONE)


class Window(NamedTuple):
    """When events count: ``within`` milliseconds after exposures up to ``watermark``, as of ``now``."""

    within: int
    watermark: int
    now: int

    def fates(
        self, shown: Times, at: npt.NDArray[np.int64], times: Times, earlier: npt.NDArray[np.bool_], *, by_user: bool
    ) -> npt.NDArray[np.uint8]:
        """Fates [E] of events at ``times`` [E].

        Parameters
        ----------
        shown
            Times of the exposures [N] that are not written yet.
        at
            The exposure of each event [E]; ``NONE`` without one.
        earlier
            Whether an exposure of the event's key was written by an earlier run [E].
        by_user
            Whether events are of users, to whom an item may be shown again before the event.
        """
        found = at != NONE
        when = shown[at] if shown.size else np.zeros(at.size, dtype=np.int64)
        inside, over = times <= when + self.within, when <= self.watermark
        may_come = (times > self.watermark) & (times <= self.now + self.within)
        of_found = np.where(inside, np.where(over, Fate.COUNTED, Fate.PENDING), Fate.LATE)
        of_lost = np.where(may_come, Fate.PENDING, Fate.ORPHAN)
        if by_user:
            of_found = np.where(~inside & may_come, Fate.PENDING, of_found)
            earlier = earlier & ~may_come
        return np.where(found, of_found, np.where(earlier, Fate.LATE, of_lost)).astype(np.uint8)
