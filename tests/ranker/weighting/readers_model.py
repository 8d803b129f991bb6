"""A Keras model as a reader would write it, for tests of the balancer."""

import numpy as np
import tensorflow as tf

from ranker.batch_quality import batch_quality

TASKS = {"click": "binary", "like": "binary", "topic": "binary"}


class Readers(tf.keras.Model):
    """An embedding, a dense trunk, two binary heads and one of three classes, trained in a step of its own."""

    def __init__(self, balancer, *, with_features=True, **passed):
        super().__init__()
        self.table = tf.keras.layers.Embedding(50, 4)
        self.trunk = tf.keras.layers.Dense(8, "tanh", kernel_regularizer=tf.keras.regularizers.L2(1e-3))
        self.heads = {"click": tf.keras.layers.Dense(1), "like": tf.keras.layers.Dense(1)}
        self.classes = tf.keras.layers.Dense(3)
        self.unused = tf.Variable(1.0)
        self.balancer, self.with_features, self.passed = balancer, with_features, passed

    def features(self, ids):
        return self.trunk(self.table(ids))

    def losses_of(self, features, batch):
        logits = {task: head(features)[:, 0] for task, head in self.heads.items()}
        losses = {
            task: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(batch[task], logit))
            for task, logit in logits.items()
        }
        # only rows with a topic: their features are gathered, which makes sparse gradients of a dense tensor
        some = tf.boolean_mask(features, batch["has_topic"])
        topics = tf.boolean_mask(batch["topic"], batch["has_topic"])
        errors = tf.nn.sparse_softmax_cross_entropy_with_logits(topics, self.classes(some))
        return {"topic": tf.reduce_mean(errors), **losses}, logits

    def train_step(self, batch):
        with self.balancer.tape() as tape:
            features = self.features(batch["ids"])
            if self.with_features:
                features = tape.share(features)
            losses, logits = self.losses_of(features, batch)
            penalties = self.losses
        shared = [*self.table.trainable_variables, *self.trunk.trainable_variables]
        scores = tf.stack([logits["click"], logits["like"], logits["like"]], axis=1)
        labels = tf.stack([batch["click"], batch["like"], batch["like"]], axis=1)
        step = tape.step(
            self.optimizer,
            losses,
            self.trainable_variables,
            shared=None if self.with_features else shared,
            penalties=penalties,
            quality=batch_quality(scores, labels, tf.ones_like(labels)),
            look_again=lambda: self.losses_of(self.features(batch["ids"]), batch)[0],
            **self.passed,
        )
        return {**losses, "weights": step.weights}


def batch(rows=64, seed=0):
    random = np.random.default_rng(seed)
    ids = random.integers(0, 50, rows)
    return {
        "ids": tf.constant(ids),
        "click": tf.constant((ids % 2).astype(np.float32)),
        "like": tf.constant((ids % 3 == 0).astype(np.float32)),
        "topic": tf.constant(ids % 3),
        "has_topic": tf.constant(ids % 4 > 0),
    }
