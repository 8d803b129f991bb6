"""Builds a model's optimiser from the config's groups."""

from collections.abc import Callable

import tensorflow as tf

from ranker.heads import task_of
from ranker.model import RankingModel
from ranker.optimizers import OPTIMIZERS, learning_rate
from ranker.optimizers.average import WeightAverage
from ranker.optimizers.grouped import Group, GroupedOptimizer
from ranker.optimizers.per_task import PerTaskOptimizer
from training.config.optimizer import Optimizer, OptimizerGroup

TOWERS = "towers.by_task"


def build_optimizer(model: RankingModel, options: Optimizer, steps: int) -> GroupedOptimizer:
    """One optimiser per configured group; schedules end after ``steps``.

    Raises ``ValueError`` naming a configured group for which the model has no variables, or a warm-up longer than the
    run.
    """
    step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
    settings = dict(options.groups())
    variables = _by_group(model, settings)
    groups = []
    for path, members in variables.items():
        if not members and model.architecture.trainable:
            continue
        group = settings[path]
        try:
            rate = learning_rate(
                step, group.learning_rate, group.schedule, steps=steps, warmup=group.warmup_steps, final=group.final
            )
        except ValueError as error:
            raise ValueError(f"optimizer.{path}.{error}") from None
        make = _maker(group)
        per_task = path == "shared" and options.shared is not None and options.shared.per_task
        optimizer = PerTaskOptimizer(make, len(model.tasks), rate) if per_task else make(rate)
        groups.append(Group(optimizer, members, rate, group.weight_decay))
    average = None if options.average is None else WeightAverage(model.trainable_variables, options.average)
    return GroupedOptimizer(groups, step, average)


def _by_group(model: RankingModel, settings: dict[str, OptimizerGroup]) -> dict[str, list[tf.Variable]]:
    """Assign every variable to the most specific group that the config sets for it."""
    tables, wide = model.embedding.table_variables, model.wide_variables
    separate = {variable.ref() for variable in (*tables, *wide)}
    parts = {
        "embeddings": tables,
        "wide": wide,
        "shared": [variable for variable in model.shared_variables if variable.ref() not in separate],
        "weighting": list(model.weighting.trainable_variables),
        **{
            f"{TOWERS}.{head}": model.variables_of(head, layer)
            for head, layer in zip(model.architecture.tasks, model.architecture.heads, strict=True)
        },
    }
    of_task = {f"{TOWERS}.{head}": f"{TOWERS}.{task_of(head)}" for head in model.architecture.tasks}
    by_group: dict[str, list[tf.Variable]] = {path: [] for path in settings}
    for path, members in parts.items():
        candidates = [path, of_task.get(path, path), path.split(".")[0], "dense"]  # the most specific first
        by_group[next(group for group in candidates if group in settings)] += members
    has = {path.split(".")[0]: None for path, members in parts.items() if members}
    for path in ("shared", "wide", "weighting"):
        if path in settings and not parts[path]:
            raise ValueError(f"optimizer.{path}: this model has no such variables; it has {', '.join(has)}")
    return by_group


def _maker(group: OptimizerGroup) -> Callable[[Callable[[], tf.Tensor]], tf.keras.optimizers.legacy.Optimizer]:
    kind = OPTIMIZERS[group.name]
    extra: dict[str, float] = {} if group.clip_norm is None else {"clipnorm": group.clip_norm}
    if kind.l1:
        extra[kind.l1] = group.l1
    return lambda rate: kind.make(learning_rate=rate, **extra)
