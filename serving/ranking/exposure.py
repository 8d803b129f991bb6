"""What the exposure log takes from one ranked request: references to small arrays, converted later."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged, Text
from ranker.fusion import Plan, Ranked
from ranker.inference.pool import ContextColumns
from serving.ranking.candidates import RequestPool

Indices = NDArray[np.intp]
OF_ENTRY = 1000
"""Bytes of an exposure without its arrays, roughly."""
OF_VALUE = 64
"""Bytes of one Python value, roughly."""


@dataclass(frozen=True, eq=False)
class ExposureColumns:
    """What is logged of one version of a model.

    Attributes
    ----------
    schema
        Arrow schema of the log's rows, as in streams.
    context, candidate
        Columns of requests that are logged, as the schema of the model names them.
    rows
        Most candidates of a request.
    depth
        Least number of first candidates, if there are as many, even if the answer has fewer.
    """

    schema: Any
    context: tuple[str, ...]
    candidate: tuple[str, ...]
    rows: int
    depth: int


class Exposure(NamedTuple):
    """The first K candidates of one ranked request, by place.

    Attributes
    ----------
    plan
        The fusion.
    fusion
        The fusion as in the answer.
    candidates, returned
        Number of candidates ranked, and of those in the answer.
    ids, fused, scores
        As in the answer [K], [K], [K, T].
    raw
        The model's scores [K, T], if the fusion calibrates any.
    base_place, propensity
        As in ``Ranked`` [K]; ``None`` if the fusion does not explore.
    context, features
        Logged columns: one value each, and [K].
    """

    plan: Plan
    fusion: Mapping[str, Any]
    candidates: int
    returned: int
    ids: Column
    fused: NDArray[np.float64]
    scores: NDArray[np.float32]
    raw: NDArray[np.float32] | None
    base_place: Indices | None
    propensity: NDArray[np.float64] | None
    context: Mapping[str, Column]
    features: Mapping[str, Column]

    @property
    def size(self) -> int:
        """Bytes that it holds, roughly."""
        arrays = (self.fused, self.scores, self.raw, self.base_place, self.propensity)
        size = OF_ENTRY + _size(self.ids) + sum(array.nbytes for array in arrays if array is not None)
        return size + sum(map(_size, self.context.values())) + sum(map(_size, self.features.values()))


def exposed(
    columns: ExposureColumns,
    plan: Plan,
    fusion: Mapping[str, Any],
    ranked: Ranked,
    order: Indices,
    shown: tuple[Column, NDArray[np.float64], NDArray[np.float32]],
    given: NDArray[np.float32],
    pool: RequestPool,
    context: ContextColumns,
) -> Exposure | None:
    """The exposure of a request; ``None`` if no candidate was ranked.

    ``order`` [M] and ``shown`` are the positions, ids, fused and calibrated scores in the answer; ``given`` [N, T] are
    the model's scores.
    """
    returned = len(order)
    if returned < columns.depth and returned < len(ranked.fused):
        order = ranked.order(columns.depth)
        shown = pool.ids(order), ranked.fused[order], ranked.scores[order].astype(np.float32)
    elif returned > columns.rows:
        order = order[: columns.rows]
        shown = pool.ids(order), shown[1][: columns.rows].copy(), shown[2][: columns.rows].copy()
    if not len(order):
        return None
    ids, fused, scores = shown
    base_place, propensity = ranked.drawn(order)
    return Exposure(
        plan,
        fusion,
        len(ranked.fused),
        returned,
        _own(ids),
        fused,
        scores,
        raw=given[order] if plan.options.calibration else None,
        base_place=base_place,
        propensity=propensity,
        context={name: context[name] for name in columns.context if name in context},
        features={
            name: _own(column) for name in columns.candidate if (column := pool.sent_values(name, order)) is not None
        },
    )


def _own(column: Column) -> Column:
    """A column that holds no part of the request's body, which a queue would else keep whole."""
    if isinstance(column, Text) and column.data.base is not None:
        return Text(column.data.copy(), column.offsets, column.rows)
    return column


def _size(column: Column) -> int:
    if isinstance(column, np.ndarray):
        return column.nbytes
    if isinstance(column, Text):
        return column.data.nbytes + column.offsets.nbytes + column.rows.nbytes
    if isinstance(column, Ragged):
        return _size(column.values) + column.offsets.nbytes
    size = OF_VALUE * len(column)
    for value in column:
        if type(value) is str:
            size += len(value)
        elif type(value) is list:
            size += OF_VALUE * len(value)
    return size
