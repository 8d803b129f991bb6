"""Logged requests without a model."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from ranker.exposures.columns import ITEM, REQUEST, ROW
from ranker.exposures.schema import metadata, stream_schema
from serving.exposures.rows import Logged
from serving.ranking.exposure import Exposure, ExposureColumns

NOON = 1_769_860_800_000
"""2026-01-31 12:00 UTC in milliseconds."""


def columns_of(objective):
    fields = {**REQUEST, ITEM: pa.int64(), **ROW, f"score.{objective}": pa.float32()}
    return ExposureColumns(stream_schema(pa.schema(fields, metadata=metadata())), (), (), rows=100, depth=0)


COLUMNS, OTHERS = columns_of("click"), columns_of("like")


def request(number, *, rows=3, time=NOON, model="m", columns=COLUMNS, ids=None):
    """A request of a number, whose items are its hundred and the place."""
    (score,) = (name for name in columns.schema.names if name.startswith("score."))
    plan = SimpleNamespace(objectives=(score.removeprefix("score."),), options=SimpleNamespace(calibration={}))
    ids = np.arange(rows) + 100 * number if ids is None else ids
    scores = np.linspace(1, 0, rows, dtype=np.float32)
    fusion = {"name": "default", "formula": "additive", "parameters": {"n": number}}
    exposure = Exposure(plan, fusion, rows, rows, ids, scores.astype(float), scores[:, None], None, None, None, {}, {})
    return Logged(columns, time, f"r{number}", model, 1, None, None, exposure, exposure.size)
