"""Finds what was shown for each event: the latest exposure of its key before it."""

import numpy as np
import numpy.typing as npt

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
