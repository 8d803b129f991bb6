import numpy as np
import pytest
import tensorflow as tf

from ranker.tasks import TASK_KINDS
from ranker.tasks.duration_groups import FEWEST, WithinDuration

KINDS = [kind for kind, cls in TASK_KINDS.items() if issubclass(cls, WithinDuration)]


def task_of(kind, **options):
    return TASK_KINDS[kind].model_validate({"kind": kind, "duration": "seconds", **options})


@pytest.mark.parametrize("kind", KINDS)
def test_groups_have_equal_frequency(kind):
    numbers = np.random.default_rng(0).normal(size=12 * FEWEST)
    for groups, expected in ((4, 4), (30, 12), (1, 1)):
        edges = task_of(kind, groups=groups).group_edges(numbers)
        counts = np.bincount(np.searchsorted(edges, numbers.astype(np.float32), side="right"))
        np.testing.assert_array_equal(counts, np.full(expected, len(numbers) / expected))


@pytest.mark.parametrize(
    "numbers", [np.zeros(1000), np.repeat([0.0, 1.0], [990, 10]), np.repeat([0.0, 1.0], [10, 990])]
)
@pytest.mark.parametrize("kind", KINDS)
def test_no_group_is_empty(kind, numbers):
    edges = task_of(kind, groups=10).group_edges(numbers)
    assert np.bincount(np.searchsorted(edges, numbers, side="right")).min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_column_of_the_logits_chooses_the_group(kind):
    task = task_of(kind, groups=2)
    numbers = np.repeat([-1.0, 3.0], 200)
    task = task.with_state(task.fit(np.arange(400.0), numbers, np.ones(400)))
    table = next(name for name, array in task.state.items() if array.ndim == 2)
    logits = tf.constant([[9.0, -5.0], [9.0, 2.9], [9.0, 3.0]])
    np.testing.assert_array_equal(task.of_group(table, logits), task.state[table][[0, 0, 1]])
