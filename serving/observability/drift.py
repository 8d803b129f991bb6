"""What requests look like against training: values never seen, by feature, and how scores are spread, by objective."""

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Packed, SideLayout
from ranker.encoding.vocabulary import UNSEEN
from ranker.metrics import binned, stability_index

REQUESTS = 8
"""Requests kept between two calls of :meth:`Drift.take`, the latest ones: measuring costs no more under load."""
ROWS = 128
"""Candidates kept of a request, about so many and evenly apart."""
HALF_LIFE = 600.0
"""Seconds after which a score counts half."""
FEWEST = 1000.0
"""Scores that an index needs: of fewer it says more about chance than about a shift."""
FEWEST_REQUESTS = 100.0
"""Requests that they must come from: scores of one request are alike, so many of a few requests say little."""


class Drift:
    """Keeps what requests were encoded to and scored as, by reference; counts it up when asked."""

    def __init__(self, artifact: Artifact) -> None:
        self._sides = artifact.encoder.layout.context, artifact.encoder.layout.candidate
        self._spreads = artifact.spreads
        self._tasks = artifact.manifest.tasks
        self._kept: deque[tuple[Packed, NDArray[np.float32]]] = deque(maxlen=REQUESTS)
        self._counts = {task: np.zeros(len(spread.shares)) for task, spread in self._spreads.items()}
        self._requests = 0.0
        self._aged = time.monotonic()

    def keep(self, packed: Packed, scores: NDArray[np.float32]) -> None:
        """Remember a request until the next :meth:`take`."""
        self._kept.append((packed, scores))

    def take(self) -> dict[str, tuple[int, int]]:
        """Count what was kept; return by feature how many ids there were and how many of them were unknown."""
        kept = []
        while self._kept:
            packed, scores = self._kept.popleft()
            apart = slice(None, None, max(len(scores) // ROWS, 1))
            kept.append((packed.context_ids, packed.candidate_ids[apart], scores[apart]))
        now = time.monotonic()
        fade = 0.5 ** ((now - self._aged) / HALF_LIFE)
        self._aged = now
        for counts in self._counts.values():
            counts *= fade
        self._requests = self._requests * fade + len(kept)
        if not kept:
            return {}
        scores = np.concatenate([scores for _, _, scores in kept])
        for i, task in enumerate(self._tasks):
            if task in self._counts:
                self._counts[task] += binned(scores[:, i], self._spreads[task].edges)
        context, candidate = self._sides
        found = _unknown(context, np.concatenate([ids for ids, _, _ in kept]))
        return {**found, **_unknown(candidate, np.concatenate([ids for _, ids, _ in kept]))}

    def indices(self) -> dict[str, float]:
        """Population stability index of each objective's scores against validation; 0 while there are too few."""
        return {
            task: stability_index(self._spreads[task].shares, counts / counts.sum())
            if counts.sum() >= FEWEST and self._requests >= FEWEST_REQUESTS
            else 0.0
            for task, counts in self._counts.items()
        }


def features_with_ids(artifact: Artifact) -> list[str]:
    """Features whose ids are counted."""
    layout = artifact.encoder.layout
    return [field.feature for _, side in layout.sides() for field in side.ids]


def _unknown(side: SideLayout, ids: NDArray[np.int32]) -> dict[str, tuple[int, int]]:
    """By feature: ids that are there, and those of them that stand for a value not kept from training."""
    there, unseen = np.count_nonzero(ids, axis=0), np.count_nonzero(ids == UNSEEN, axis=0)
    places = {field.feature: slice(field.start, field.start + field.length) for field in side.ids}
    return {name: (int(there[place].sum()), int(unseen[place].sum())) for name, place in places.items()}
