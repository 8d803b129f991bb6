import numpy as np
import tensorflow as tf

from training.distribution.claims import Claims


def taken(claims, owners):
    function = tf.function(claims.claimed)
    return [tuple(int(part) for part in function(tf.constant(own))) for own in owners]


def test_a_worker_takes_its_own_batches_in_order_and_then_those_of_others():
    claims = Claims([3, 2, 0], None)
    claims.start(0, 0)
    assert taken(claims, [0, 1, 0, 1, 1, 2]) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (0, 0)]


def test_every_batch_is_taken_once_whoever_asks():
    claims = Claims([4, 7, 2], None)
    claims.start(0, 0)
    order = np.random.default_rng(0).integers(0, 3, 13).tolist()
    assert sorted(taken(claims, order)) == [(r, n) for r, size in enumerate((4, 7, 2)) for n in range(size)]


def test_a_resumed_epoch_takes_the_rest(tmp_path):
    first = Claims([4, 4], tmp_path)
    first.start(1, 0)
    before = taken(first, [0, 0, 0, 1])
    first.save(1, 4)
    taken(first, [0, 1])  # after the pause; lost with the processes
    second = Claims([4, 4], tmp_path)
    second.start(1, 4)
    after = taken(second, [0, 1, 0, 1])
    assert sorted(before + after) == [(r, n) for r in range(2) for n in range(4)]


def test_with_other_workers_a_resumed_epoch_begins_evenly(tmp_path):
    Claims([4, 4], tmp_path).save(1, 4)
    resumed = Claims([2, 4, 2], tmp_path)
    resumed.start(1, 4)
    assert taken(resumed, [0, 1, 2, 1]) == [(0, 1), (1, 2), (2, 1), (1, 3)]


def test_only_the_last_pauses_are_remembered(tmp_path):
    claims = Claims([9], tmp_path)
    for step in range(1, 6):
        claims.start(0, step)
        claims.save(0, step)
    claims.start(0, 1)  # forgotten, so by the number of steps
    assert taken(claims, [0]) == [(0, 1)]
    assert len(claims._saved()) == 3
