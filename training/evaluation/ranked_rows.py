"""Rows of a log in lists, with what their rankings are measured by; collected batch by batch."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, ColumnError
from ranker.fusion import Requests
from ranker.log_files.log_reader import DataError
from ranker.metrics import Groups, Relevance
from ranker.schema import Schema
from training.config.metric_names import Metric
from training.data.batches import Batch
from training.data.grouping import NO_GROUP, Grouping
from training.data.plain_columns import values_of
from training.evaluation.evaluate import Predictions
from training.evaluation.ranking_request import RankingRequest
from training.evaluation.rankings import fused_keys, measure_rankings, relevance_of
from training.evaluation.relevance import check_relevance, relevance_columns

Floats = NDArray[np.float64]


class ListedRows:
    """Collects list keys, features and relevance of batches, beside the scores and labels that ``predict`` keeps."""

    def __init__(self, schema: Schema, request: RankingRequest) -> None:
        self.schema, self.request = schema, request
        self._lists = [Grouping(column) for column in request.list_by]
        known = (*request.relevance, *schema.tasks)
        measured = [metric.column for metric in request.metrics if metric.column not in known]
        self._read = list(dict.fromkeys([*request.features.values(), *measured]))
        self._keys: list[NDArray[np.int64]] = []
        self._columns: list[dict[str, NDArray[Any]]] = []
        self._relevance: list[dict[str, Floats]] = []

    def add(self, batch: Batch, raw: Mapping[str, Column]) -> None:
        """Add the raw columns of a batch. Raises ``DataError`` for a column of the wrong type."""
        try:
            self._keys.append(np.stack([lists.of(raw) for lists in self._lists], axis=1))
            self._columns.append({column: values_of(self.schema, column, raw[column]) for column in self._read})
        except ColumnError as error:
            raise DataError(f"column {error.column!r} must be {error.expected}, got {error.value!r:.80}") from None
        labels, known = batch["labels"], batch["known"] > 0
        tasks, formulas = list(self.schema.tasks), self.request.relevance
        self._relevance.append(relevance_columns(formulas, tasks, labels, known, raw))

    def measured(
        self, predictions: Predictions, resamples: int, seed: int, progress: Callable[[int], None]
    ) -> dict[str, Any]:
        """Measure the requested rankings.

        Parameters
        ----------
        predictions
            Scores and labels of the collected rows.
        resamples, seed
            For bootstrap 95 % intervals over lists; none with 0 resamples.
        progress
            Called with 1 after each metric.

        Returns
        -------
        ``list_by``; ``lists``, ``rows`` in lists and ``rows_without_list``, whose list columns have nulls and which
        are left out; and by name under ``metrics``, each metric's ``value``, ``interval`` and ``lists``, the number of
        lists that define it.

        Raises
        ------
        DataError
            If no row is in a list, a metric's column does not hold finite numbers (>= 0 for NDCG), or a fusion fails.
        """
        keys = np.concatenate(self._keys)
        listed = (keys != NO_GROUP).all(axis=1)
        if not listed.any():
            raise DataError(f"--list-by {', '.join(self.request.list_by)}: every row has a null there")
        codes = _codes(keys[listed])
        columns, formulas = (_joined(parts, listed) for parts in (self._columns, self._relevance))
        check_relevance(self.request.relevance, formulas)
        part = Predictions(
            predictions.scores[listed], predictions.labels[listed], predictions.known[listed], codes.astype(np.int64)
        )
        tasks, groups = list(self.schema.tasks), Groups(codes)

        def relevance(metric: Metric) -> Relevance:
            return relevance_of(metric, tasks, part.labels, part.known, {**columns, **formulas})

        def scores(ranking: str) -> Floats:
            if ranking in tasks:
                return part.scores[:, tasks.index(ranking)].astype(np.float64)
            return self._fused(ranking, part, Requests(groups.codes, groups.count), columns)

        found = {}
        wanted = [(metric.ranking, metric) for metric in self.request.metrics]
        for metric, value in measure_rankings(scores, wanted, relevance, groups, resamples, seed):
            found[metric.name] = value
            progress(1)
        rows = int(listed.sum())
        return {
            "list_by": list(self.request.list_by),
            "lists": groups.count,
            "rows": rows,
            "rows_without_list": len(listed) - rows,
            "metrics": found,
        }

    def _fused(self, ranking: str, rows: Predictions, lists: Requests, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Numbers [N] that order rows within their lists as a fusion does."""
        name = ranking.removeprefix("fused(").removesuffix(")")
        features = {feature: columns[column] for feature, column in self.request.features.items()}
        return fused_keys(name, self.request.fusions[name], rows.scores, lists, features)


def _joined(parts: list[dict[str, NDArray[Any]]], rows: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Columns of batches as columns of the rows where a mask is true."""
    return {name: np.concatenate([part[name] for part in parts])[rows] for name in parts[0]}


def _codes(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Keys of several columns [N, C] -> one code per distinct combination [N], from 0."""
    codes = np.zeros(len(keys), dtype=np.intp)
    for column in keys.T:
        own = np.unique(column, return_inverse=True)[1]
        codes = np.unique(codes * (int(own.max()) + 1) + own, return_inverse=True)[1].astype(np.intp)
    return codes


def unlisted(rankings: Mapping[str, Any]) -> list[str]:
    """A caution about rows that belong to no list, from the result of :meth:`ListedRows.measured`."""
    count, columns = rankings["rows_without_list"], ", ".join(rankings["list_by"])
    return [f"rankings: {count:,} rows have no {columns} and belong to no list; they are left out"] if count else []
