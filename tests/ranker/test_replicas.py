"""Two replicas with half of a batch each take the step that one takes with the whole."""

from contextlib import nullcontext

import numpy as np
import pytest
import tensorflow as tf

from ranker import replicas
from ranker.funnels import FUNNELS
from ranker.optimizers.grouped import Group, GroupedOptimizer
from ranker.optimizers.per_task import PerTaskOptimizer
from ranker.position import POSITION_METHODS
from ranker.rank_losses import LISTS, RANK_LOSSES
from ranker.weighting import WEIGHTINGS, BalancingTape, GradientBalancer
from tests.ranker.models import TRAINABLE, batch_of, each, model_of
from tests.ranker.position.test_contract import method_of, with_positions

SGD = tf.keras.optimizers.legacy.SGD
ROWS, IDS, TASKS, STEPS = 12, 7, 3, 3


class Toy:
    """A table, a shared layer and a head for each task, balanced by one method."""

    def __init__(self, method) -> None:
        random = np.random.default_rng(1)

        def variable(*shape):
            return tf.Variable(random.normal(size=shape).astype(np.float32))

        self.table, self.trunk = variable(IDS, 2), variable(2, 4)
        self.heads = [variable(4, 1) for _ in range(TASKS)]
        self.method, self.optimizer = method, SGD(0.05, momentum=0.5, clipnorm=2.0)
        self.method.build(KINDS)
        self.shared = [self.table, self.trunk]
        self.optimizer._create_all_weights([*self.shared, *self.heads, *self.method.trainable_variables])

    @property
    def variables(self):
        return [*self.shared, *self.heads, *self.method.variables, *self.optimizer.weights]

    def losses(self, features, batch):
        """Squared errors over the known rows, of several targets, one of which is binary."""
        found = []
        for task, head in enumerate(self.heads):
            errors = (tf.matmul(features, head)[:, 0] - batch["labels"][:, task]) ** 2
            known = batch["known"][:, task]
            whole = replicas.total(tf.reduce_sum(known))
            found.append(tf.math.divide_no_nan(tf.reduce_sum(errors * known), whole))
        return found

    def step(self, batch, compare=True):
        with BalancingTape(self.method, list(KINDS)) as tape:
            rows = tf.gather(self.table, batch["ids"])
            features = tape.share(tf.tanh(tf.matmul(rows, self.trunk)))
            losses = self.losses(features, batch)
            penalties = [0.1 * replicas.mean(rows[:, 0] ** 2), replicas.once(0.1 * tf.reduce_sum(self.trunk**2))]
        found = tape.gradients(
            losses,
            [*self.shared, *self.heads],
            shared=self.shared,
            penalties=penalties,
            quality=lambda: quality(features, batch),
            compare=compare if self.method.every > 1 else None,
        )
        replicas.apply(self.optimizer, found.updates)
        if self.method.looks_back:
            again = self.losses(tf.tanh(tf.matmul(tf.gather(self.table, batch["ids"]), self.trunk)), batch)
            self.method.after(replicas.summed(tf.stack(again)))
        return {"losses": found.losses, "weights": found.weights, "gramian": found.gramian}


def quality(features, batch):
    rows = replicas.gathered(tf.concat([features, batch["labels"]], axis=1))
    return tf.reduce_mean(tf.sigmoid(rows[:, :TASKS] * rows[:, 4:]), axis=0)
