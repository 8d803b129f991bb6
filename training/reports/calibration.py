"""Reliability diagrams before and after calibration, on validation rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Plan
from ranker.fusion.calibration import fit
from ranker.metrics import METRICS, calibration, calibration_error
from ranker.schema import Schema
from training.config.experiment import Experiment
from training.evaluation.evaluate import Predictions
from training.reports.charts import reliability
from training.reports.page import Page

BINS = 10

Floats = NDArray[np.float64]


def calibration_page(experiment: Experiment, plans: Mapping[str, Plan], predictions: Predictions) -> Page | None:
    """Reliability before and after each calibration; ``None`` if no fusion calibrates.

    Calibrated scores are cross-fitted: each half of the rows is calibrated by a fit on the other half.
    """
    pairs = sorted({pair for plan in plans.values() for pair in plan.options.calibration.items()})
    if not pairs:
        return None
    page = Page("Calibration on validation rows")
    page.text(
        f"Mean label against mean score in {BINS} equal-count bins. Calibrations shown here are fitted on one half of "
        "the rows and shown on the other; the artifact's are fitted on all rows."
    )
    add_calibration(page, experiment.log_schema, pairs, predictions)
    return page


def add_calibration(
    page: Page, schema: Schema, pairs: Iterable[tuple[str, str | None]], predictions: Predictions
) -> None:
    """Add a reliability diagram per objective and method (``None``: uncalibrated scores only), and a table."""
    lines: list[list[str]] = []
    drawn: list[tuple[list[dict[str, Any]], str]] = []
    for objective, method in pairs:
        i = list(schema.tasks).index(objective)
        rows = predictions.known[:, i]
        labels = predictions.labels[rows, i].astype(np.float64)
        states = {"model": predictions.scores[rows, i].astype(np.float64)}
        if method is not None:
            states[method] = cross_fitted(method, states["model"], labels)
        with_error = METRICS["calibration_error"].fits(schema.tasks[objective])
        for state, scores in states.items():
            error = f"{calibration_error(labels, scores):.4f}" if with_error and len(labels) else "-"
            ratio = f"{calibration(labels, scores):.3f}" if len(labels) else "-"
            lines.append([objective, state, f"{len(labels):,}", ratio, error])
        records = [record for state, scores in states.items() for record in curve(scores, labels, state)]
        drawn.append((records, f"{objective}, {method}" if method else objective))
    headers = ["objective", "scores", "rows", "mean prediction / mean label", METRICS["calibration_error"].title]
    names = list(dict.fromkeys(str(record["scores"]) for records, _ in drawn for record in records))
    if len(names) > 1:
        page.legend(names)
    page.beside([reliability(records, title, names) for records, title in drawn]).table(headers, lines)


def cross_fitted(method: str, scores: Floats, labels: Floats) -> Floats:
    """Scores [M], calibrated in two interleaved halves, each by a fit on the other half."""
    after = np.empty_like(scores)
    for half in (0, 1):
        after[half::2] = fit(method, scores[1 - half :: 2], labels[1 - half :: 2]).apply(scores[half::2])
    return after


def curve(scores: Floats, labels: Floats, state: str) -> list[dict[str, Any]]:
    """Mean score and mean label of each bin."""
    bins = [rows for rows in np.array_split(np.argsort(scores, kind="stable"), BINS) if len(rows)]
    return [
        {"scores": state, "predicted": float(scores[rows].mean()), "observed": float(labels[rows].mean())}
        for rows in bins
    ]
