"""A small schema with every kind of feature, its fitted encoder, and packed rows."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding import Encoder, EncoderFitter, Labels, Packed, encode_labels
from ranker.schema import Schema
from tests.two_devices import DEVICES

ROWS = 64


@pytest.fixture(autouse=True)
def _seeded() -> None:
    tf.keras.utils.set_random_seed(0)


class Rows(NamedTuple):
    schema: Schema
    columns: dict[str, object]
    labels: Labels
    encoder: Encoder
    packed: Packed


def columns_of(rows: int, seed: int = 0) -> dict[str, object]:
    random = np.random.default_rng(seed)
    click = (random.random(rows) < 0.5).astype(np.int64)
    return {
        "user": random.integers(0, 9, rows),
        "city": np.array([["Bern", "Köln", None][i] for i in random.integers(0, 3, rows)], dtype=object),
        "age": np.where(random.random(rows) < 0.2, np.nan, random.normal(30, 5, rows)),
        "history": [random.integers(0, 12, random.integers(0, 5)).tolist() for _ in range(rows)],
        "item": random.integers(0, 12, rows),
        "tags": [",".join(map(str, random.integers(0, 4, random.integers(0, 3)))) for _ in range(rows)],
        "length": random.exponential(30, rows),
        "vector": random.normal(size=(rows, 3)),
        "click": click,
        "buy": click * (random.random(rows) < 0.5),
        "watch": random.exponential(5, rows) * click,
    }


def schema_of(**changes: object) -> Schema:
    return Schema.model_validate(
        {
            "candidate_id": "item",
            "context": {
                "user": {"kind": "categorical", "dimension": 4},
                "city": {"kind": "categorical", "dimension": 4},
                "age": {"kind": "numeric"},
                "history": {"kind": "sequence", "shares": "item", "max_length": 3},
            },
            "candidate": {
                "item": {"kind": "categorical", "dimension": 4},
                "tags": {"kind": "multi", "separator": ",", "max_length": 2, "dimension": 2},
                "length": {"kind": "numeric", "transform": "log1p"},
                "length_bucket": {
                    "kind": "numeric",
                    "column": "length",
                    "transform": "buckets",
                    "buckets": 4,
                    "dimension": 2,
                },
                "vector": {"kind": "dense", "size": 3},
            },
            "tasks": {
                "click": {"kind": "binary"},
                "buy": {"kind": "binary", "given": "click"},
                "watch": {"kind": "regression", "transform": "log1p", "loss": "huber"},
            },
            "label_statistics": {"of": ["user", "item", ["user", "item"]], "folds": 4},
            **changes,
        }
    )


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(DEVICES)


@pytest.fixture(scope="session")
def rows() -> Rows:
    schema, columns = schema_of(), columns_of(ROWS)
    labels = encode_labels(schema, columns)
    fitter = EncoderFitter(schema)
    folds = np.arange(ROWS) % 4
    fitter.add(columns, labels.values, labels.known, folds)
    encoder = fitter.fitted()
    return Rows(schema, columns, labels, encoder, fitter.encode(encoder, columns, folds))
