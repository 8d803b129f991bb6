"""Drift of requests from training: the unknown ids of each feature, and the score distribution of each objective."""

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Packed
from ranker.encoding.unseen import IdCounts, id_counts
from ranker.metrics import binned, stability_index

REQUESTS = 8
"""Requests sampled between two calls of :meth:`Drift.take`, the latest ones, so that the cost is bounded under load."""
ROWS = 128
"""Approximate number of candidates sampled from a request, evenly spaced."""
HALF_LIFE = 600.0
"""Seconds after which a score's weight halves."""
FEWEST = 1000.0
"""Fewest scores for an index; with fewer, it reflects chance more than a shift."""
FEWEST_REQUESTS = 100.0
"""Fewest requests for an index; scores within a request are correlated."""


class Drift:
    """Keeps references to the encoded inputs and scores of sampled requests, and counts them on demand."""

    def __init__(self, artifact: Artifact) -> None:
        self._sides = artifact.encoder.layout.context, artifact.encoder.layout.candidate
        self._spreads = artifact.spreads
        self._tasks = artifact.manifest.tasks
        self._kept: deque[tuple[Packed, NDArray[np.float32]]] = deque(maxlen=REQUESTS)
        self._counts = {task: np.zeros(len(spread.shares)) for task, spread in self._spreads.items()}
        self._requests = 0.0
        self._aged = time.monotonic()

    def keep(self, packed: Packed, scores: NDArray[np.float32]) -> None:
        """Keep a request until the next :meth:`take`."""
        self._kept.append((packed, scores))

    def take(self) -> dict[str, IdCounts]:
        """Count the kept requests; return for each feature the number of ids and of unknown ids."""
        kept = []
        while self._kept:
            packed, scores = self._kept.popleft()
            sample = slice(None, None, max(len(scores) // ROWS, 1))
            kept.append((packed.context_ids, packed.candidate_ids[sample], scores[sample]))
        now = time.monotonic()
        decay = 0.5 ** ((now - self._aged) / HALF_LIFE)
        self._aged = now
        for counts in self._counts.values():
            counts *= decay
        self._requests = self._requests * decay + len(kept)
        if not kept:
            return {}
        scores = np.concatenate([scores for _, _, scores in kept])
        for i, task in enumerate(self._tasks):
            if task in self._counts:
                self._counts[task] += binned(scores[:, i], self._spreads[task].edges)
        context, candidate = self._sides
        unknown = id_counts(context, np.concatenate([ids for ids, _, _ in kept]))
        return {**unknown, **id_counts(candidate, np.concatenate([ids for _, ids, _ in kept]))}

    def indices(self) -> dict[str, float]:
        """Population stability index of each objective's scores against validation; 0 if there are too few."""
        return {
            task: stability_index(self._spreads[task].shares, counts / counts.sum())
            if counts.sum() >= FEWEST and self._requests >= FEWEST_REQUESTS
            else 0.0
            for task, counts in self._counts.items()
        }


def features_with_ids(artifact: Artifact) -> list[str]:
    """Names of the features whose ids are counted."""
    layout = artifact.encoder.layout
    return [field.feature for _, side in layout.sides() for field in side.ids]
