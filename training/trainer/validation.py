"""Measures a model on the validation rows after an epoch."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.data.batches import EncodedRows
from training.data.encode import GROUP
from training.data.listed_rows import pieces_of
from training.evaluation.evaluate import Scorer, predict
from training.evaluation.validation import measure_run
from training.trainer.divergence import DivergedError

Step: TypeAlias = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
"""Maps a batch to its mean losses [T]."""


def validated(
    experiment: Experiment, model: RankingModel, score: Scorer, losses: Step, rows: EncodedRows, epoch: int
) -> dict[str, Any]:
    """Metrics on validation rows after an epoch. Raises ``DivergedError``."""
    predictions = predict(score, rows.chunks(), experiment.log_schema)
    if unusable := predictions.not_finite(model.tasks):
        raise DivergedError(unusable, epoch)
    metrics = measure_run(experiment, predictions, 0)
    metrics["mean_loss"] = mean_loss(losses, rows)
    return metrics


def mean_loss(step: Step, rows: EncodedRows) -> float:
    """Mean validation loss of the tasks that have labels."""
    return float(np.nanmean(mean_losses(step, rows)))


def mean_losses(step: Step, rows: EncodedRows) -> NDArray[np.float64]:
    """Mean loss of each task [T]; NaN for a task without labels. List losses are of the lists within each chunk."""
    totals: list[NDArray[np.float64]] = []
    labelled: list[NDArray[np.float64]] = []
    for piece in (piece for chunk in rows.chunks() for piece in pieces_of(chunk)):
        batch = {name: tf.constant(a) for name, a in piece.items() if name != GROUP}
        known = piece["known"].sum(axis=0, dtype=np.float64)
        totals.append(known * np.asarray(step(batch)["losses"], dtype=np.float64))
        labelled.append(known)
    rows_of = np.sum(labelled, axis=0)
    counted = np.where(rows_of > 0, rows_of, np.nan)
    means: NDArray[np.float64] = np.sum(totals, axis=0) / counted
    return means
