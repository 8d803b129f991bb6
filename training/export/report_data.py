"""Data that an artifact stores for reports: training history and a sample of validation rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ranker.fusion import Candidates, Plan, Requests
from training.evaluation.evaluate import Predictions
from training.export.row_sample import Indices, examples, sampled

NUMBERS = "report.npz"
FACTS = "report.json"

ROWS = 50_000


@dataclass(frozen=True)
class ReportData:
    """A sample of whole requests from the validation rows, and the training history.

    Attributes
    ----------
    rows
        Scores, labels and whether each is known [N, T]; ``groups`` are the requests of the rows [N].
    grouped_by
        The request column; ``None`` if requests are runs of consecutive rows.
    features
        Raw values [N] of the features that a fusion reads, by name.
    shown
        Row indices of each example request.
    columns
        Raw values of the single-valued features of those rows, by name, in the order of ``shown``.
    history, best_epoch, curves
        Validation metrics by epoch, the epoch whose weights are kept, and curves from ``training.trainer.curves``.
    """

    rows: Predictions
    grouped_by: str | None
    features: dict[str, list[Any]]
    shown: list[list[int]]
    columns: dict[str, list[Any]]
    history: list[dict[str, Any]]
    best_epoch: int
    curves: dict[str, Any]

    def candidates(self, plan: Plan, rows: Sequence[int] | None = None) -> Candidates:
        """Rows of the sample (all by default) as input of a fusion."""
        chosen = np.arange(len(self.rows.scores)) if rows is None else np.asarray(rows)
        assert self.rows.groups is not None
        features = {name: np.array(self.features[name], dtype=object)[chosen] for name in plan.features}
        requests = Requests.of(self.rows.groups[chosen])
        return Candidates.of(plan.objectives, self.rows.scores[chosen], requests, features)


def collect(
    predictions: Predictions,
    columns: Callable[[Indices], Mapping[str, NDArray[Any]]],
    plans: Mapping[str, Plan],
    grouped_by: str | None,
    history: Sequence[Mapping[str, Any]],
    best_epoch: int,
    curves: Mapping[str, Any],
    limit: int = ROWS,
) -> ReportData:
    """Sample at most ``limit`` validation rows, and choose example requests with their raw features.

    ``columns`` reads the raw values of single-valued features and of those that fusions read, by feature, for given row
    indices.
    """
    rows, requests = sampled(predictions.groups, len(predictions.scores), limit)
    labels, known = predictions.labels[rows], predictions.known[rows]
    read = dict.fromkeys(name for plan in plans.values() for name in plan.features)
    shown = examples(requests, (labels > 0) & known)
    shown_rows = np.array([row for request in shown for row in request], dtype=np.int64)
    raw = columns(rows)
    return ReportData(
        rows=Predictions(predictions.scores[rows], labels, known, requests),
        grouped_by=grouped_by if predictions.groups is not None else None,
        features={name: raw[name].tolist() for name in read},
        shown=shown,
        columns={name: column[shown_rows].tolist() for name, column in raw.items() if column.ndim == 1},
        history=[dict(record) for record in history],
        best_epoch=best_epoch,
        curves=dict(curves),
    )


def write(folder: Path, data: ReportData) -> None:
    """Write report data into an artifact's folder, before it is sealed."""
    assert data.rows.groups is not None
    arrays = {"scores": data.rows.scores, "labels": data.rows.labels, "known": data.rows.known}
    np.savez_compressed(folder / NUMBERS, allow_pickle=False, **arrays, groups=data.rows.groups)
    facts = {name: getattr(data, name) for name in _FACTS}
    (folder / FACTS).write_bytes(orjson.dumps(facts, option=orjson.OPT_SERIALIZE_NUMPY))


def read(folder: Path) -> ReportData | None:
    """Read an artifact's report data; ``None`` if it was exported without."""
    if not (folder / NUMBERS).is_file():
        return None
    with np.load(folder / NUMBERS, allow_pickle=False) as arrays:
        rows = Predictions(arrays["scores"], arrays["labels"], arrays["known"], arrays["groups"])
    facts = orjson.loads((folder / FACTS).read_bytes())
    return ReportData(rows=rows, **{name: facts[name] for name in _FACTS})


_FACTS = ("grouped_by", "features", "shown", "columns", "history", "best_epoch", "curves")
