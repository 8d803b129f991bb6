import numpy as np
import orjson
import pytest

from training.trainer.curves import trace

OPPOSED = [[4.0, -1.0], [-1.0, 1.0]]


def written(path, records):
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path


def record(step, **more):
    return {"step": step, "loss": {"a": float(step), "b": 1.0}, "weight": {"a": 0.25, "b": 0.75}, **more}


def test_points_are_means_of_windows(tmp_path):
    curves = trace(written(tmp_path / "steps.jsonl", [record(i + 1) for i in range(10)]), points=5)
    assert curves["step"] == [2, 4, 6, 8, 10]
    assert curves["loss"] == {"a": [1.5, 3.5, 5.5, 7.5, 9.5], "b": [1.0] * 5}
    assert curves["weight"]["b"] == [0.75] * 5
    assert "norm" not in curves


def test_norms_and_cosines_where_gradients_were_compared(tmp_path):
    nothing = [[4.0, 0.0], [0.0, 0.0]]
    records = [record(1, gramian=OPPOSED), record(2), record(3), record(4), record(5, gramian=nothing), record(6)]
    curves = trace(written(tmp_path / "steps.jsonl", records), points=3)
    assert curves["norm"] == {"a": [2.0, None, 2.0], "b": [1.0, None, 0.0]}
    assert curves["cosine"] == {"a, b": [pytest.approx(-0.5), None, None]}


def test_of_fewer_steps_than_points_and_of_none(tmp_path):
    assert trace(written(tmp_path / "steps.jsonl", [record(1)]))["loss"]["a"] == [1.0]
    assert trace(written(tmp_path / "none.jsonl", [])) == {}
    assert np.isfinite(trace(written(tmp_path / "steps.jsonl", [record(i) for i in range(1, 200)]))["loss"]["a"]).all()
