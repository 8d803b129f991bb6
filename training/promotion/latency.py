"""Time of a call of each version's engine, in turns, so that both see the same state of the machine."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ranker.engines import EngineOptions, engine_of
from training.config.promotion import LATENCY
from training.promotion.resampling import Drawn
from training.promotion.rows import TIMED, Version

ROUNDS, WARM_UPS, SECONDS = 60, 5, 8.0
"""Timed and untimed rounds; time after which no further round begins."""
LEAST_ROUNDS = 10

Call = Callable[[], object]


def latency(new: Version, old: Version, engine: str, resamples: int, seed: int) -> Drawn:
    """Median milliseconds of scoring one context with ``TIMED`` candidates, with one thread, as a service's worker has.

    ``engine`` is a name in :data:`ranker.engines.ENGINES`, or ``auto``. Raises ``EngineError`` if it cannot be used.
    Rounds are resampled as pairs. Only scoring is timed: encoding and fusion are not.
    """
    options = EngineOptions(threads=1, sizes=(TIMED,))
    calls: list[Call] = []
    for version in (new, old):
        loaded = engine_of(engine, version.artifact.model_path, options)
        calls.append(partial(loaded.score, version.call))
    return of_rounds(in_turns(calls[0], calls[1]), resamples, seed)


def in_turns(new: Call, old: Call) -> NDArray[np.float64]:
    """Milliseconds [R, 2] of R rounds of both calls; which comes first alternates."""
    found = []
    ends = time.perf_counter() + SECONDS
    for number in range(WARM_UPS + ROUNDS):
        taken = [0.0, 0.0]
        for place in (0, 1) if number % 2 else (1, 0):
            begun = time.perf_counter()
            (new, old)[place]()
            taken[place] = 1000.0 * (time.perf_counter() - begun)
        if number >= WARM_UPS:
            found.append(taken)
        if len(found) >= LEAST_ROUNDS and time.perf_counter() > ends:
            break
    return np.array(found)


def of_rounds(rounds: NDArray[np.float64], resamples: int, seed: int) -> Drawn:
    """Both medians of the rounds [R, 2] in milliseconds, and in resamples of the rounds."""
    picked = np.random.default_rng(seed).integers(0, len(rounds), (resamples, len(rounds)))
    drawn = np.median(rounds[picked], axis=1)
    new, old = np.median(rounds, axis=0).tolist()
    return Drawn(LATENCY, "less", new, old, drawn[:, 0], drawn[:, 1], len(rounds))
