"""Lists of the shop's rows: as requests, as a log, and what holds for inputs that depend on a list or the context."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ranker.artifact import Artifact
from ranker.inference import Model
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from serving.protocol.formats import Exchange
from serving.protocol.formats.base import BY_ROW
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace
from tests.artifacts import ROWS, plain
from tests.serving.asking import answered
from tests.serving.protocol.formats.streams import FROM_ARROW, sent, table_of

SIZES = (1, 13, 30, 2, 14)
CANDIDATE = ("sku", "shelf", "tags", "similar", "length", "vector")
Request = dict[str, Any]


def as_requests(columns: Mapping[str, Any], context: Sequence[str]) -> list[Request]:
    """Each list as a request."""
    return [
        {
            "context": {name: values[0] for name, values in plain(columns, context, [end - size]).items()},
            "candidates": plain(columns, CANDIDATE, range(end - size, end)),
        }
        for size, end in zip(SIZES, np.cumsum(SIZES).tolist(), strict=True)
    ]


def as_table(columns: Mapping[str, Any], context: Sequence[str]) -> pa.Table:
    """All lists as rows of a log."""
    return pa.table(plain(columns, (*context, *CANDIDATE, "list", "click", "buy", "watch"), range(ROWS)))


def encoded(service: Ranker, body: Any, exchange: Exchange | None = None) -> np.ndarray:
    """Numbers of the candidates that the service scores."""
    trace = RequestTrace()
    answered(service, body, trace, exchange or Exchange())
    return trace.packed.candidate_numbers


def assert_formats_agree(service: Ranker, request: Request, expected: np.ndarray) -> None:
    """Columns, rows and Arrow give the expected numbers, which are finite, to the last bit."""
    rows = [dict(zip(CANDIDATE, row, strict=True)) for row in zip(*request["candidates"].values(), strict=True)]
    tags = pa.array(request["candidates"]["tags"], pa.list_(pa.string()))
    found = [
        encoded(service, request),
        encoded(service, {**request, "candidates": rows}, Exchange(writes=BY_ROW)),
        encoded(service, sent(table_of(request, tags=tags)), FROM_ARROW),
    ]
    for numbers in found:
        assert numbers.tobytes() == expected.tobytes()
        assert np.isfinite(numbers).all()


def assert_predictions_are_rankings(artifact: Artifact, requests: Sequence[Request], table: pa.Table) -> None:
    """`predict --rank-by` of the log gives the places and fused scores of each request, to the last bit."""
    model = Model.load(artifact.folder, engine="onnxruntime")
    found = Predictor(artifact, PredictOptions(rank_by=("list",), engine="onnxruntime"))(table)
    first = 0
    for request in requests:
        expected = model.rank(request["context"], request["candidates"])
        here = slice(first, first + len(expected))
        order = np.argsort(found["rank"].to_numpy()[here])
        assert order.tolist() == expected.positions.tolist()
        assert found["fused"].to_numpy()[here][order].tolist() == expected.fused.tolist()
        first += len(expected)
