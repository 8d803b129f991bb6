import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from ranker.batch_quality import batch_quality


def quality(scores, labels, known=None):
    known = np.ones_like(scores) if known is None else known
    return batch_quality(*(tf.constant(part, tf.float32) for part in (scores, labels, known))).numpy()


def test_auc_over_known_rows():
    random = np.random.default_rng(0)
    scores, known = random.normal(size=(300, 2)), (random.random((300, 2)) < 0.7).astype(float)
    labels = (random.random((300, 2)) < 0.3).astype(float)
    expected = [roc_auc_score(labels[known[:, i] > 0, i], scores[known[:, i] > 0, i]) for i in range(2)]
    np.testing.assert_allclose(quality(scores, labels, known), expected, rtol=1e-5)


def test_concordance_of_neighbours():
    # pairs (last, first), (0, 1), (1, 2), (2, 3): labels rise, fall, stay; scores rise, rise, fall
    labels, scores = np.array([[0.5], [3], [2], [2]]), np.array([[1.0], [2], [3], [0]])
    # first against last: -1.5 and +1, wrong; 2.5 and 1, right; -1 and 1, wrong; equal labels do not count
    np.testing.assert_allclose(quality(scores, labels), [1 / 3])
    np.testing.assert_allclose(quality(scores, labels, np.array([[1.0], [1], [0], [0]])), [1.0])


def test_what_says_nothing_is_not_a_number():
    np.testing.assert_array_equal(quality(np.ones((4, 2)), np.tile([[0.0, 1.0]], (4, 1))), [np.nan, np.nan])
    np.testing.assert_array_equal(quality(np.ones((4, 1)), np.full((4, 1), 7.0)), [np.nan])
