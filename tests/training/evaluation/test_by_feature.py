import numpy as np
import pytest

from ranker.encoding import EncoderFitter
from ranker.schema import Schema
from training.data.batches import EncodedWriter
from training.evaluation.by_feature import by_feature, numbers_of, packed_numbers, table
from training.evaluation.evaluate import Predictions

SCHEMA = Schema.model_validate(
    {
        "context": {"age": {"kind": "numeric", "transform": "log1p"}},
        "candidate": {"seconds": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary"}, "watch": {"kind": "regression"}},
    }
)
AGE, SECONDS = np.array([20.0, 30.0, 40.0, 50.0]), np.array([3.0, 1.0, 9.0, 9.0])


@pytest.fixture
def encoder():
    fitter = EncoderFitter(SCHEMA)
    zeros = np.zeros(4, dtype=int)
    fitter.add({"age": AGE, "seconds": SECONDS}, np.ones((4, 2)), np.ones((4, 2), dtype=bool), zeros, zeros)
    return fitter.fitted()


def encoded(encoder):
    columns = {"age": AGE, "seconds": SECONDS}
    return {name: array for name, array in encoder.encode(columns, columns)._asdict().items() if array.shape[1]}


def predictions():
    return Predictions(
        np.array([[0.5, 1.0], [0.5, 2.0], [0.1, 5.0], [0.9, 6.0]], np.float32),
        np.array([[1, 3.0], [0, 2.0], [0, 5.0], [1, 0.0]], np.float32),
        np.array([[1, 1], [1, 1], [1, 1], [1, 0]], bool),
        None,
    )


def test_metrics_of_two_groups_by_hand(encoder):
    numbers = packed_numbers(encoder, "seconds", encoded(encoder))
    found = by_feature(encoder, "seconds", 2, predictions(), numbers)
    short, long = found["groups"]
    assert (short["from"], short["to"]) == (pytest.approx(1, abs=1e-5), pytest.approx(3, abs=1e-5))
    assert long["from"] == pytest.approx(9, abs=1e-5)
    assert short["tasks"]["click"]["auc"] == 0.5
    assert long["tasks"]["click"]["auc"] == 1.0
    assert short["tasks"]["watch"]["mae"] == 1.0
    assert short["tasks"]["watch"]["xauc"] == 0.0
    assert (long["tasks"]["watch"]["mae"], long["tasks"]["watch"]["rows"]) == (0.0, 1)
    assert long["tasks"]["watch"]["xauc"] is None
    headers, lines = table(found)
    assert headers[:2] == ["objective", "seconds"]
    assert [line[:2] for line in lines] == [[task, span] for task in SCHEMA.tasks for span in ("1 to 3", "9 to 9")]
    assert lines[3][-1] == "1"


def test_a_feature_of_the_context_in_its_own_unit(encoder, tmp_path):
    writer = EncodedWriter(tmp_path)
    writer.write(encoded(encoder))
    numbers = numbers_of(encoder, "age", writer.close())
    found = by_feature(encoder, "age", 4, predictions(), numbers)
    assert [group["from"] for group in found["groups"]] == pytest.approx(AGE, rel=1e-5)


def test_equal_values_share_a_group(encoder):
    found = by_feature(encoder, "seconds", 10, predictions(), np.zeros(4, np.float32))
    assert len(found["groups"]) == 1
    assert found["groups"][0]["tasks"]["watch"]["rows"] == 3
