"""Steps that a chief hands out, run in this process in place of its workers."""

from collections.abc import Callable
from itertools import repeat
from types import SimpleNamespace

import numpy as np
import orjson
import pytest
import tensorflow as tf

from training.config.training import Training
from training.data.batches import EncodedWriter
from training.distribution.parameter_server import ParameterServers
from training.distribution.worker_rows import WorkerRows, offer

ROWS, BATCH, PAUSE = 54, 8, 5
MODEL = SimpleNamespace(turns=repeat("all"), train_step=lambda batch, _: {"x": batch["x"]})
"""A model that logs the rows that it reads."""


class Handed:
    """A step that runs when it is waited for."""

    def __init__(self, run: Callable[[], None], coordinator: "Coordinator") -> None:
        self._run, self._coordinator = run, coordinator

    def get(self) -> None:
        self._coordinator.begun -= 1
        self._run()


class Coordinator:
    """Counts the steps that have begun and are not done."""

    def __init__(self) -> None:
        self.begun = self.most = 0

    def schedule(self, function: Callable[..., None], args: tuple[tf.Tensor, ...]) -> Handed:
        self.begun += 1
        self.most = max(self.most, self.begun)
        return Handed(lambda: function(*args), self)


@pytest.fixture
def rows(tmp_path):
    writer = EncodedWriter(tmp_path / "rows")
    for start, size in ((0, 20), (20, 5), (25, 17), (42, 12)):
        writer.write({"x": np.arange(start, start + size)})
    return writer.close()


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Makes the chief of two workers, the second of which is this process."""
    jobs = {"chief": ["a:1"], "ps": ["b:1"], "worker": ["c:1", "d:1"]}
    monkeypatch.setenv("TF_CONFIG", orjson.dumps({"cluster": jobs, "task": {"type": "chief", "index": 0}}).decode())
    kept = offer(WorkerRows(), 1)

    def chief(staleness):
        distribute = {"name": "parameter_server", "staleness": staleness}
        distribution = ParameterServers(Training(batch_size=BATCH, shuffle_rows=20, distribute=distribute))
        distribution._strategy, distribution._coordinator = tf.distribute.get_strategy(), Coordinator()
        distribution.partition(tmp_path)
        return distribution

    yield chief
    del kept


@pytest.mark.parametrize(("staleness", "most", "steps"), [(0, 1, 7), (2, 3, 8), (None, 4, 8)])
def test_steps_keep_their_bound_and_read_every_row_once(made, rows, staleness, most, steps):
    distribution, read = made(staleness), []
    assert distribution.steps_per_epoch(rows) == steps
    for done, log in enumerate(distribution.steps(MODEL, rows, 1, 0, PAUSE), 1):
        if done in (PAUSE, steps):
            assert distribution._coordinator.begun == 0
        read.append(log["x"])
    assert len(read) == steps
    assert distribution._coordinator.most == most
    assert sorted(np.concatenate(read).tolist()) == list(range(ROWS))
    if staleness == 0:
        for batch, other in zip(read, rows.batches(BATCH, 20, 0, 1), strict=True):
            np.testing.assert_array_equal(batch, other["x"])


@pytest.mark.parametrize("staleness", [0, 1, None])
def test_a_resumed_epoch_reads_the_rows_that_are_left(made, rows, staleness):
    first = made(staleness).steps(MODEL, rows, 1, 0, PAUSE)
    before = [next(first)["x"] for _ in range(PAUSE)]
    next(first)  # after the pause: it and its claims are lost with the processes
    after = [log["x"] for log in made(staleness).steps(MODEL, rows, 1, PAUSE, PAUSE)]
    assert sorted(np.concatenate([*before, *after]).tolist()) == list(range(ROWS))
