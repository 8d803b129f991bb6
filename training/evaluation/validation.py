"""Measures validation rows as a config says: per task, and rankings within lists by own scores and by fusions."""

from typing import Any

from ranker.fusion import FusionError
from ranker.log_files.log_reader import DataError
from training.config.experiment import Experiment
from training.evaluation.evaluate import Predictions, measure


def measure_run(
    experiment: Experiment, predictions: Predictions, resamples: int, fitted_on: Predictions | None = None
) -> dict[str, Any]:
    """Metrics of an experiment's model, as :func:`measure` returns them.

    Fusions that metrics name are calibrated on ``fitted_on``, the validation rows, as they are at export; by default on
    ``predictions``. Raises ``DataError`` for a negative gain, and if a fusion fails.
    """
    named = {metric.fusion for metric in experiment.list_metrics}
    rows, plans = fitted_on or predictions, {}
    for name in [name for name in experiment.measurable_fusions if name in named]:
        try:
            plans[name] = experiment.measurable_fusions[name].fit(rows.scores, rows.labels, rows.known)
        except FusionError as error:
            raise DataError(f"fusion {name!r} cannot be fitted to the validation rows: {error}") from None
    seed = experiment.training.seed
    return measure(experiment.log_schema, predictions, resamples, seed, experiment.list_metrics, plans)
