from dataclasses import replace

import numpy as np
import pytest

from ranker.encoding import EncoderFitter, from_state, to_state
from ranker.schema import Schema
from ranker.task_state import TaskState
from training.data import task_states as module
from training.data.batches import EncodedWriter
from training.data.task_states import task_states

SCHEMA = Schema.model_validate(
    {
        "context": {"hour": {"kind": "numeric"}},
        "candidate": {"item": {"kind": "categorical"}, "seconds": {"kind": "numeric", "transform": "none"}},
        "tasks": {
            "click": {"kind": "binary"},
            "spend": {"kind": "ziln", "given": "click"},
            "watch": {"kind": "quantile_of_duration", "duration": "seconds", "groups": 2, "quantiles": 4},
        },
    }
)


def encoder():
    fitter = EncoderFitter(SCHEMA)
    columns = {"hour": np.arange(4.0), "item": ["a"] * 4, "seconds": np.arange(4.0)}
    fitter.add(columns, np.ones((4, 3)), np.ones((4, 3), dtype=bool), np.zeros(4, dtype=int), np.zeros(4, dtype=int))
    return fitter.fitted()


def rows(folder, **arrays):
    """Two chunks of 200 rows: short items are watched for up to 10 s, long ones for up to 400 s."""
    writer, count = EncodedWriter(folder), 200
    for length, number in ((10.0, 5.0), (400.0, 50.0)):
        watch, click = np.linspace(0, length, count), np.arange(count) % 2
        numbers = np.zeros((count, encoder().layout.candidate.number_width), np.float32)
        numbers[:, encoder().layout.number("seconds")[1]] = number
        labels = np.stack([click, np.where(click, np.e, 1e6), watch], axis=1)
        writer.write(
            {
                "candidate_numbers": numbers,
                "labels": labels.astype(np.float32),
                "known": np.ones((count, 3), np.float32),
                **arrays,
            }
        )
    return writer.close()


def test_states_are_those_of_the_rows_that_count(tmp_path):
    """Spend counts where the click is 1, and is e there."""
    found = task_states(SCHEMA, encoder(), rows(tmp_path), 0, None, False)
    assert list(found) == ["spend", "watch"]
    assert found["spend"].arrays["mean"] == pytest.approx(1.0)
    np.testing.assert_allclose(found["watch"].arrays["edges"], [50])
    expected = [np.linspace(0, 10, 5), np.linspace(0, 400, 5)]
    np.testing.assert_allclose(found["watch"].arrays["values"], expected, rtol=1e-6)


def test_rows_of_weight_0_do_not_count(tmp_path):
    weights = np.ones((200, 3), np.float32)
    weights[100:, 2] = 0
    found = task_states(SCHEMA, encoder(), rows(tmp_path, weights=weights), 0, None, False)
    assert found["watch"].arrays["values"][:, -1].tolist() == pytest.approx([10 * 99 / 199, 400 * 99 / 199])


def test_a_large_log_is_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 300)
    found = task_states(SCHEMA, encoder(), rows(tmp_path), 0, None, False)
    assert found["watch"].arrays["values"][1, -1] == pytest.approx(400, rel=0.05)


def test_an_encoder_keeps_the_states(tmp_path):
    states = task_states(SCHEMA, encoder(), rows(tmp_path), 0, None, False)
    fitted = replace(encoder(), tasks=states)
    restored = from_state(SCHEMA, *to_state(fitted))
    assert {name: list(state.arrays) for name, state in restored.tasks.items()} == {
        name: list(state.arrays) for name, state in states.items()
    }
    for name, state in restored.tasks.items():
        assert isinstance(restored.layout.tasks[name], TaskState)
        for part, array in state.arrays.items():
            np.testing.assert_array_equal(array, states[name].arrays[part])
    assert "tasks" not in to_state(encoder())[0]
