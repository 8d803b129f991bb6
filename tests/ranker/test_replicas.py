"""Two replicas with half of a batch each take the step that one takes with the whole.

Steps run eagerly, as tracing a model for two replicas takes far longer; that graphs give the same is tested by training
in ``tests/training/distribution``.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import tensorflow as tf

from ranker import replicas
from ranker.batch_quality import batch_quality
from ranker.funnels import FUNNELS
from ranker.layers.dropout import IdDropout
from ranker.optimizers.average import WeightAverage
from ranker.optimizers.grouped import Group, GroupedOptimizer
from ranker.optimizers.per_task import PerTaskOptimizer
from ranker.position import POSITION_METHODS
from ranker.rank_losses import LISTS, RANK_LOSSES
from ranker.schema import Schema
from ranker.tasks import Binary, Regression
from ranker.weighting import WEIGHTINGS, BalancingTape, GradientBalancer
from tests.ranker.models import TRAINABLE, batch_of, each, model_of
from tests.ranker.position.test_contract import method_of, with_positions

SGD = tf.keras.optimizers.legacy.SGD
ROWS, IDS, TASKS = 12, 7, 3
KINDS = {"click": Binary(kind="binary"), "like": Binary(kind="binary"), "watch": Regression(kind="regression")}


class Toy:
    """A table, a shared layer and a head for each task, balanced by one method."""

    def __init__(self, method) -> None:
        random = np.random.default_rng(1)

        def variable(*shape):
            return tf.Variable(random.normal(size=shape).astype(np.float32))

        self.table, self.trunk = variable(IDS, 2), variable(2, 4)
        self.heads = [variable(4, 1) for _ in range(TASKS)]
        self.method, self.optimizer = method, SGD(0.05, momentum=0.5)
        self.method.build(KINDS)
        self.shared = [self.table, self.trunk]
        self.optimizer._create_all_weights([*self.shared, *self.heads, *self.method.trainable_variables])

    @property
    def variables(self):
        return [*self.shared, *self.heads, *self.method.variables, *self.optimizer.weights]

    def losses(self, features, batch):
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
            quality=lambda: batch_quality(features[:, :TASKS], batch["labels"], batch["known"]),
            compare=compare if self.method.every > 1 else None,
        )
        replicas.apply(self.optimizer, found.updates)
        if self.method.looks_back:
            again = self.losses(tf.tanh(tf.matmul(tf.gather(self.table, batch["ids"]), self.trunk)), batch)
            self.method.after(replicas.summed(tf.stack(again)))
        return {"losses": found.losses, "weights": found.weights, "gramian": found.gramian}


def toy_batches():
    """Labels of two tasks are known in one half of the rows only; the last batch is one row, so a replica has none."""
    random = np.random.default_rng(0)
    batches = []
    for rows in (ROWS, ROWS, 1):
        labels = random.normal(size=(rows, TASKS)).astype(np.float32)
        labels[:, :2] = labels[:, :2] > 0
        known = np.ones((rows, TASKS), np.float32)
        known[rows // 2 :, 1] = known[: rows // 2, 2] = 0
        batches.append({"ids": random.integers(0, IDS, rows).astype(np.int32), "labels": labels, "known": known})
    return batches


def close(two, one, where, tolerance=1e-5):
    np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance, err_msg=where)


METHODS = [
    *each(WEIGHTINGS, dict.fromkeys(["shared_with_embeddings", "representation", "shared"])),
    ("pcgrad", "shared_with_embeddings"),
    ("pcgrad", "representation"),
    ("gradnorm", "shared"),
]


@pytest.mark.parametrize(("name", "gradients_of"), METHODS)
def test_a_balanced_step_is_that_of_the_whole_batch(mirrored, name, gradients_of):
    kind, every = WEIGHTINGS[name], 1
    of_gradients = issubclass(kind, GradientBalancer)
    if of_gradients and name < "d":
        every = 2
    options = {"gradients_of": gradients_of, "every": every} if of_gradients else {}

    def run(strategy):
        with nullcontext() if strategy is None else strategy.scope():
            toy = Toy(kind(kind.Options(**options)))
        steps = {}
        for compare in (True, False)[: 1 if every == 1 else 2]:

            def step(batch, compare=compare):
                return {k: v for k, v in toy.step(batch, compare).items() if v is not None}

            steps[compare] = step if strategy is None else replicas.everywhere(step, strategy, LISTS)
        logs = []
        for number, batch in enumerate(toy_batches()):
            given = {key: tf.constant(array) for key, array in batch.items()}
            logs.append({k: v.numpy() for k, v in steps[number % every == 0](given).items()})
        return toy, logs

    (one, alone), (two, both) = run(None), run(mirrored)
    for first, second in zip(alone, both, strict=True):
        assert first.keys() == second.keys()
        for key in first:
            close(second[key], first[key], key)
    for mine, theirs in zip(one.variables, two.variables, strict=True):
        copies = [copy.numpy() for copy in mirrored.experimental_local_results(theirs)]
        np.testing.assert_array_equal(*copies, theirs.name)
        close(copies[0], mine, mine.name)


def stepped(build, batches, strategy=None):
    """What each step logs, and the variables afterwards, which must be the same in all replicas."""
    with nullcontext() if strategy is None else strategy.scope():
        model = build()
    signature = {name: tf.TensorSpec([None, *array.shape[1:]], array.dtype) for name, array in batches[0].items()}
    iterator = iter(tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature))
    step = model.make_train_function()
    logs = [{name: value.numpy() for name, value in step(iterator).items()} for _ in batches]
    average = getattr(model.optimizer, "average", None)
    variables = [*model.variables, *model.weighting.variables, *([] if average is None else average.averages)]
    if strategy is not None:
        for variable in variables:
            np.testing.assert_array_equal(*(v.numpy() for v in strategy.experimental_local_results(variable)))
    return logs, {f"{i} {v.name}": v.numpy() for i, v in enumerate(variables)}


def check(build, batches, strategy):
    (alone, variables), (both, theirs) = stepped(build, batches), stepped(build, batches, strategy)
    for one, two in zip(alone, both, strict=True):
        assert one.keys() == two.keys()
        for name in one:
            close(two[name], one[name], name)
    assert variables.keys() == theirs.keys()
    for name, value in variables.items():
        close(theirs[name], value, name)


def half_known(batch):
    """Labels of the second task are known in the first half only, and of the third in a few rows of the second."""
    known = batch["known"].numpy()
    known[len(known) // 2 :, 1] = known[: len(known) - 9, 2] = 0
    return {**batch, "known": tf.constant(known)}


@pytest.mark.parametrize(("architecture", "funnel", "position"), list(each(TRAINABLE, FUNNELS, POSITION_METHODS)))
def test_a_step_of_every_architecture_funnel_and_position_method(rows, mirrored, architecture, funnel, position):
    batch = half_known(with_positions(rows))
    sizes = {"aitm": {"calibrator": 0.1}, "sluice": {"orthogonality": 0.1}, "soft_sharing": {"strength": 0.1}}
    method = WEIGHTINGS["pcgrad"] if architecture in ("home", "sluice", "stem") else WEIGHTINGS["static"]

    def build():
        options = {} if rows.schema.tasks["buy"].given else sizes.get(architecture, {})
        model = model_of(rows, architecture, method(), funnel=funnel, l2=0.01, **options)
        model.position = method_of(position, rows, **({"dropout": 0.0} if position == "additive" else {}))
        model.compile(optimizer=SGD(0.1), run_eagerly=True)
        return model

    check(build, [batch], mirrored)


def test_list_losses_of_whole_lists(rows, mirrored):
    """Every list loss; lists of several lengths, of which one lies across the middle of the batch."""
    keys = np.sort(np.random.default_rng(3).integers(0, 9, len(rows.columns["item"])))
    keys[28:36] = keys[28]
    batch = {**half_known(batch_of(rows)), LISTS: tf.constant(keys, tf.int64)}
    tasks = {name: {"kind": "binary", "rank_loss": {"name": name, "group": "item"}} for name in RANK_LOSSES}
    order = [i % 2 for i in range(len(tasks))]
    batch |= {key: tf.gather(batch[key], order, axis=1) for key in ("labels", "known")}
    schema = Schema.model_validate({**rows.schema.model_dump(exclude={"tasks", "label_statistics"}), "tasks": tasks})

    def build():
        model = model_of(rows._replace(schema=schema), "shared_bottom", WEIGHTINGS["static"]())
        model.compile(optimizer=SGD(0.1), run_eagerly=True)
        return model

    check(build, [batch], mirrored)


def test_moments_by_task_clipped_rows_decay_and_averages(rows, mirrored):
    def rate():
        return tf.constant(0.05)

    def make(rate):
        return tf.keras.optimizers.legacy.RMSprop(rate, epsilon=1e-2)

    def build():
        model = model_of(rows, "shared_bottom", WEIGHTINGS["uncertainty"](), l2=0.01)
        tables = list(model.embedding.tables.values())
        dense = [v for v in model.shared_variables if v.ref() not in {table.ref() for table in tables}]
        groups = [
            Group(PerTaskOptimizer(make, len(model.tasks), rate), dense, rate, 0.1),
            Group(SGD(rate, clipnorm=0.01), tables, rate),
            Group(SGD(rate), [*model.head_variables, *model.weighting.trainable_variables], rate),
        ]
        step, average = tf.Variable(0, dtype=tf.int64), WeightAverage(model.trainable_variables, 0.9)
        model.compile(optimizer=GroupedOptimizer(groups, step, average), run_eagerly=True)
        return model

    check(build, [half_known(batch_of(rows))] * 2, mirrored)


def test_replicas_drop_different_ids(mirrored):
    layer = IdDropout(0.5, name="dropout")
    with mirrored.scope():
        layer.build(None)
    ids = tf.fill([64], 2)
    drawn = mirrored.experimental_local_results(mirrored.run(lambda: layer(ids, training=True)))
    assert (drawn[0].numpy() != drawn[1].numpy()).any()


def test_one_replica_sums_nothing():
    value = tf.constant([1.0])
    assert replicas.count() == 1
    assert replicas.summed(value) is replicas.total(value) is replicas.once(value) is replicas.gathered(value) is value
    assert replicas.all_summed([value, None]) == [value, None]
