"""Rows of a search: a model's scores, labels and groups, cached so that rows are scored only once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Column
from ranker.expressions import Expression
from ranker.files import replacing
from ranker.log_files.csv_types import of_kind
from ranker.log_files.log_reader import DataError, Log
from training.config.experiment import Experiment
from training.data.cache import digest, files, scored_by
from training.data.encode import NO_GROUP, encode_with_columns
from training.data.plain_columns import values_of
from training.data.trained_on import held_out, none_held_out
from training.evaluation.evaluate import predict
from training.evaluation.onnx_scorer import onnx_scorer
from training.evaluation.relevance import check_relevance, relevance_columns
from training.progress_listener import Progress

FORMAT = 1


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """N rows of a log.

    Attributes
    ----------
    objectives
        Names of the T objectives.
    scores, labels, known
        The model's scores, labels, and whether each is known [N, T].
    groups
        The group of each row [N], from 0; rows of a group are ranked together.
    columns
        Other columns by name [N]: features that the fusion reads, values used by metrics.
    """

    objectives: tuple[str, ...]
    scores: NDArray[np.float64]
    labels: NDArray[np.float64]
    known: NDArray[np.bool_]
    groups: NDArray[np.intp]
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.scores)

    def taken(self, rows: NDArray[np.bool_]) -> "ScoredRows":
        """The rows where a mask [N] is true, with groups renumbered from 0."""
        return ScoredRows(
            self.objectives,
            self.scores[rows],
            self.labels[rows],
            self.known[rows],
            np.unique(self.groups[rows], return_inverse=True)[1].astype(np.intp),
            {name: column[rows] for name, column in self.columns.items()},
        )

    def renamed(self, names: Mapping[str, str]) -> "ScoredRows":
        """The same rows with columns renamed; ``names`` maps new names to old ones."""
        return replace(self, columns={name: self.columns[old] for name, old in names.items()})

    def with_relevance(self, formulas: Mapping[str, Expression]) -> "ScoredRows":
        """The same rows with the values of formulas as columns. Raises ``DataError`` where one is null or infinite."""
        values = relevance_columns(formulas, self.objectives, self.labels, self.known, self.columns)
        check_relevance(formulas, values)
        return replace(self, columns={**self.columns, **values})

    def halves(self, held_out: float, seed: int) -> tuple["ScoredRows", "ScoredRows"]:
        """Rows to search on, and a held-out fraction of the groups. Raises ``DataError`` for too few groups."""
        count = int(self.groups.max(initial=-1)) + 1
        aside = round(held_out * count)
        if not 0 < aside < count:
            raise DataError(
                f"{count} groups cannot be split into search groups and a held-out fraction of {held_out:g}"
            )
        held = np.zeros(count, dtype=bool)
        held[np.random.default_rng(seed).permutation(count)[:aside]] = True
        return self.taken(~held[self.groups]), self.taken(held[self.groups])


def scored_rows(
    artifact: Artifact, log: Log, group_by: str, more: Sequence[str], folder: Path, progress: Progress
) -> tuple[ScoredRows, str]:
    """Score the rows that the artifact's split holds out; return them with a SHA-256 of what they depend on.

    They are cached in ``folder`` as ``scores-<SHA-256>.parquet``. ``more`` names additional columns. Raises
    ``DataError`` if the log cannot be used.
    """
    experiment = Experiment.model_validate(artifact.manifest.experiment)
    rule = experiment.data.split.model_dump(mode="json")
    key = digest(
        FORMAT,
        scored_by(artifact),
        files(experiment, log),
        rule,
        experiment.training.seed,
        artifact.manifest.trained_on,
        group_by,
        sorted(more),
    )
    path = folder / f"scores-{key[:16]}.parquet"
    if path.is_file():
        return _read(path, artifact.manifest.tasks, more), key
    raw: list[Mapping[str, Column]] = []
    held = held_out(artifact, log.typed(of_kind("id", [group_by, *more])))

    def batches() -> Any:
        for batch, columns in encode_with_columns(artifact.schema, artifact.encoder, held, [*more], group_by, progress):
            raw.append({name: columns[name] for name in more})
            yield batch
        if not raw:
            raise DataError(none_held_out(artifact))

    predictions = predict(onnx_scorer(artifact.model_path), batches(), artifact.schema)
    assert predictions.groups is not None
    unknown = int((predictions.groups == NO_GROUP).sum())
    if unknown:
        raise DataError(f"column {group_by!r} has {unknown} rows without a value, so their group is unknown")
    rows = ScoredRows(
        artifact.manifest.tasks,
        predictions.scores.astype(np.float64),
        predictions.labels.astype(np.float64),
        predictions.known,
        np.unique(predictions.groups, return_inverse=True)[1].astype(np.intp),
        {name: np.concatenate([values_of(artifact.schema, name, part[name]) for part in raw]) for name in more},
    )
    _write(rows, path)
    return rows, key


def _write(rows: ScoredRows, path: Path) -> None:
    table: dict[str, Any] = {"group": rows.groups}
    for i, name in enumerate(rows.objectives):
        table[f"score.{name}"] = rows.scores[:, i]
        table[f"label.{name}"] = pa.array(rows.labels[:, i], mask=~rows.known[:, i])
    for name, column in rows.columns.items():
        lists = column.ndim == 2
        table[f"column.{name}"] = pa.array(column.tolist()) if lists else pa.array(column, from_pandas=True)
    with replacing(path) as partial:
        pq.write_table(pa.table(table), partial)


def _read(path: Path, objectives: tuple[str, ...], more: Sequence[str]) -> ScoredRows:
    table = pq.read_table(path)
    labels = [table[f"label.{name}"] for name in objectives]
    return ScoredRows(
        objectives,
        np.stack([table[f"score.{name}"].to_numpy() for name in objectives], axis=1),
        np.stack([column.fill_null(0.0).to_numpy() for column in labels], axis=1),
        np.stack([column.is_valid().to_numpy() for column in labels], axis=1),
        table["group"].to_numpy().astype(np.intp),
        {name: _column(table[f"column.{name}"]) for name in more},
    )


def _column(stored: Any) -> NDArray[Any]:
    """A stored column [N], or [N, W] of lists."""
    if not pa.types.is_list(stored.type):
        return np.asarray(stored.to_numpy())
    values = stored.to_pylist()
    numbers = pa.types.is_floating(stored.type.value_type)
    return np.array(values, dtype=np.float64 if numbers else object).reshape(len(values), -1)
