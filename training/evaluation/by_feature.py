"""Metrics of each task by groups of a numeric feature, such as a video's duration."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder
from ranker.encoding.kinds.numeric import NumericEncoding
from ranker.metrics import METRICS, report
from training.data.batches import Batch, EncodedRows
from training.evaluation.evaluate import Predictions

KEY = "by_feature"
"""Key of these metrics among all metrics of a run or an evaluation."""
Numbers = NDArray[np.float32]


def packed_numbers(encoder: Encoder, feature: str, batch: Batch) -> Numbers:
    """Packed numbers [N] of a numeric feature in a batch of encoded rows."""
    side, column = encoder.layout.number(feature)
    numbers: Numbers = batch[f"{side}_numbers"][:, column]
    return numbers


def numbers_of(encoder: Encoder, feature: str, rows: EncodedRows) -> Numbers:
    """Packed numbers [N] of a numeric feature in all rows."""
    side, column = encoder.layout.number(feature)
    return np.concatenate([numbers[:, column] for (numbers,) in rows.columns(f"{side}_numbers")])


def by_feature(
    encoder: Encoder, feature: str, groups: int, predictions: Predictions, numbers: Numbers
) -> dict[str, Any]:
    """Metrics by task within groups of equal frequency of the packed ``numbers`` [N] of a feature.

    Returns
    -------
    ``feature``, and under ``groups`` for each one, in ascending order, its least and largest value ``from`` and ``to``,
    and by task under ``tasks`` the metrics that have a better direction, without intervals, and ``rows``. Equal values
    share a group, so that there may be fewer. A missing value counts as the encoding's mean, and values beyond 8
    deviations are cut.
    """
    encoding = encoder.encodings[feature]
    assert isinstance(encoding, NumericEncoding), "the config refuses other features"
    ordered = np.sort(numbers)
    edges = np.unique(ordered[len(ordered) * np.arange(1, groups) // groups])
    codes = np.searchsorted(edges[edges > ordered[0]], numbers, side="right")
    values = encoding.unpacked(numbers.astype(np.float64))
    return {
        "feature": feature,
        "groups": [
            {
                "from": float(values[codes == code].min()),
                "to": float(values[codes == code].max()),
                "tasks": _measured(encoder, predictions, codes == code),
            }
            for code in range(int(codes.max()) + 1)
        ],
    }


def table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headers and lines of the metrics that :func:`by_feature` returns, a line for each group and task."""
    groups, feature = found["groups"], found["feature"]
    names = [name for name in METRICS if any(name in task for group in groups for task in group["tasks"].values())]
    lines = [
        [
            task,
            f"{group['from']:.4g} to {group['to']:.4g}",
            *(_shown(report.get(name)) for name in names),
            f"{report['rows']:,}",
        ]
        for task in groups[0]["tasks"]
        for group in groups
        for report in (group["tasks"][task],)
    ]
    return ["objective", feature, *(METRICS[name].title for name in names), "rows"], lines


def _measured(encoder: Encoder, predictions: Predictions, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    found = {}
    for place, (name, task) in enumerate(encoder.schema.tasks.items()):
        rows = chosen & predictions.known[:, place]
        labels, scores = (array[rows, place].astype(np.float64) for array in (predictions.labels, predictions.scores))
        whole = report(task, labels, scores, None, 0, 0)
        kept = {key: whole[key] for key, metric in METRICS.items() if key in whole and metric.better is not None}
        found[name] = {**kept, "rows": whole["rows"]}
    return found


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
