"""Ranking quality of a batch per task, computed in the graph."""

import tensorflow as tf

from ranker import replicas

UNDECIDED = float("nan")
"""Quality of a task if the batch has no information: chance level."""


def batch_quality(scores: tf.Tensor, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Fraction [T] of concordant pairs of rows, from scores, labels and known [B, T].

    For labels in {0, 1} it is the AUC over known rows. For other labels it is the concordance of each row with the
    next, B pairs instead of B^2; rows are in random order. Ties in scores are broken by row order. On several replicas
    it is that of all rows.
    """
    parts = tf.split(replicas.gathered(tf.concat([scores, labels, known], axis=1)), 3, axis=1)
    columns = zip(*(tf.unstack(part, axis=1) for part in parts), strict=True)
    return tf.stack([_quality(*column) for column in columns])


def _quality(score: tf.Tensor, label: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    binary = tf.reduce_all((label == 0) | (label == 1))
    return tf.where(binary, _auc(score, label, known), _concordance(score, label, known))


def _auc(score: tf.Tensor, label: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Mann-Whitney statistic: mean over positives of the fraction of negatives below."""
    order = tf.argsort(score)
    positive, negative = tf.gather(known * label, order), tf.gather(known * (1.0 - label), order)
    right = tf.reduce_sum(positive * tf.cumsum(negative))
    return _share(right, tf.reduce_sum(positive) * tf.reduce_sum(negative))


def _concordance(score: tf.Tensor, label: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    def gap(values: tf.Tensor) -> tf.Tensor:
        return values - tf.roll(values, 1, axis=0)

    counted = known * tf.roll(known, 1, axis=0) * tf.cast(gap(label) != 0, score.dtype)
    return _share(tf.reduce_sum(counted * tf.cast(gap(score) * gap(label) > 0, score.dtype)), tf.reduce_sum(counted))


def _share(part: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    return tf.where(whole > 0, tf.math.divide_no_nan(part, whole), UNDECIDED)
