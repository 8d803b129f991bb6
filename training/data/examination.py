"""Estimates how likely each place is examined, from clicks and boosted trees of relevance. Wang et al., WSDM 2018."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Layout
from ranker.funnels import Funnel
from ranker.position import POSITION, PositionOptions
from ranker.position.base import FIRST
from training.config.trees import TreeOptions
from training.data.batches import EncodedRows
from training.data.trees.boost import MANY
from training.data.trees.scores import write_values

Floats = NDArray[np.float64]

LEAST = 0.01
"""Least estimate, as weights of clicks are inverses."""
PRIOR = 20.0
"""Rows of the mean rate that are added to each place at the start."""
PSEUDO = 1.0
"""Rows of which the mean share was examined that are added to each place, so that rare ones do not go to an extreme."""
STEPS = 2
"""Updates of examination for each tree."""


def regression_em(
    options: PositionOptions,
    task: int,
    rows: EncodedRows,
    layout: Layout,
    funnel: Funnel,
    rounds: int,
    threads: int | None,
) -> Floats:
    """Examination of each place [P + 1], relative to the first one's, from the clicks of one task.

    A click needs examination, ``e_k``, and relevance, ``r(x)``, the probability of boosted trees of the inputs. The
    likelihood is that of regression EM, and so are the gradients that trees are fitted to: relevance less its
    probability given the click. Steps are Fisher scoring's instead of EM's, which are small where most is missing.
    Items must have been shown at several places, for reasons that the inputs tell or that have nothing to do with them.
    """
    import lightgbm as lgb  # lazy: only runs with this method need it

    clicks, weights, places = _clicks(options, task, rows, funnel)
    estimate = Examination(clicks, weights, places, options.positions + 1)
    defaults = TreeOptions()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "values.npy"
        write_values(file, layout, rows)
        values = np.load(file, mmap_mode="r", allow_pickle=False)
        parameters: dict[str, Any] = {
            "objective": lambda logits, _: estimate.gradients(logits),  # a bound method would be copied with its object
            "num_leaves": defaults.leaves,
            "learning_rate": 0.1,
            "min_data_in_leaf": max(defaults.least_rows, len(clicks) // 1000),
            "seed": 0,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads or (1 if values.size < MANY else 0),
            "verbosity": -1,
        }
        data = lgb.Dataset(values, clicks, init_score=np.full(len(clicks), estimate.start()), params=parameters)
        lgb.train(parameters, data, rounds)
    return estimate.examination


class Examination:
    """The current estimate of examination [P + 1], and gradients of the trees' logits of relevance."""

    def __init__(self, clicks: Floats, weights: Floats, places: NDArray[np.int64], count: int) -> None:
        self._clicks, self._weights, self._places = clicks, weights, places
        self._rows = np.bincount(places, weights, minlength=count)
        sums = self._sums(clicks)
        rates = (sums + PRIOR * sums.sum() / max(self._rows.sum(), 1e-9)) / (self._rows + PRIOR)
        self.examination = self._bounded(rates / max(rates[FIRST], 1e-9))

    def start(self) -> float:
        """The logit of relevance if it were equal for all rows: clicks per examined row."""
        examined = float((self._weights * self.examination[self._places]).sum())
        mean = np.clip(float((self._weights * self._clicks).sum()) / max(examined, 1e-9), 1e-6, 1 - 1e-6)
        return float(np.log(mean) - np.log1p(-mean))

    def gradients(self, logits: Floats) -> tuple[Floats, Floats]:
        """Gradients and curvatures [N] of the loss of clicks at logits [N], after updates of examination."""
        relevance = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
        for _ in range(STEPS):
            self._update(relevance)
        examination = self.examination[self._places]
        missed = np.maximum(1.0 - examination * relevance, 1e-12)
        curvatures = examination * relevance * (1.0 - relevance) ** 2 / missed
        gradients = relevance - posterior(self._clicks, examination, relevance)
        return self._weights * gradients, self._weights * np.maximum(curvatures, 1e-6)

    def _update(self, relevance: Floats) -> None:
        """A step of Fisher scoring of examination at relevance [N]."""
        examination = self.examination[self._places]
        missed = np.maximum(1.0 - examination * relevance, 1e-12)
        scores = self._sums(self._clicks / examination - (1.0 - self._clicks) * relevance / missed)
        information = self._sums(relevance / (examination * missed))
        own = np.minimum(self.examination, 1.0 - 1e-3)
        mean = float(self.examination @ self._rows) / max(self._rows.sum(), 1e-9)
        scores += PSEUDO * (mean / own - (1.0 - mean) / (1.0 - own))
        self.examination = self._bounded(self.examination + scores / (information + PSEUDO / (own * (1.0 - own))))

    def _sums(self, values: Floats) -> Floats:
        """Weighted sums of values [N] by place [P + 1]."""
        sums = np.bincount(self._places, self._weights * values, minlength=len(self._rows))
        return np.asarray(sums, dtype=np.float64)

    def _bounded(self, examination: Floats) -> Floats:
        found = np.clip(examination, LEAST, 1.0)
        found[FIRST] = 1.0
        return found


def posterior(clicks: Floats, examination: Floats, relevance: Floats) -> Floats:
    """Probabilities [N] that a row was relevant, given whether it was clicked."""
    missed = np.maximum(1.0 - examination * relevance, 1e-12)
    return clicks + (1.0 - clicks) * (1.0 - examination) * relevance / missed


def _clicks(
    options: PositionOptions, task: int, rows: EncodedRows, funnel: Funnel
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Labels, weights and places [N] of all training rows."""
    parts = []
    for labels, known, positions, *own in rows.columns("labels", "known", POSITION, "weights"):
        weights = np.prod([known, *own], axis=0, dtype=np.float64)
        weight = np.asarray(funnel.within_parent(labels, weights, task), dtype=np.float64)
        parts.append((labels[:, task].astype(np.float64) * (weight > 0), weight, options.places(positions)))
    clicks, weights, places = (np.concatenate(part) for part in zip(*parts, strict=True))
    return clicks, weights, places
