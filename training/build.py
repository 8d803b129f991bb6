"""An experiment and a fitted layout -> a compiled model."""

from functools import partial

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.architectures import ARCHITECTURES
from ranker.encoding import Layout
from ranker.funnels import FUNNELS, Funnel
from ranker.layers import Embedding
from ranker.layers.interaction import INTERACTIONS
from ranker.model import RankingModel
from ranker.weighting import WEIGHTINGS, LabelFacts
from training.config import Experiment, Optimizer, OptimizerGroup

OPTIMIZERS = {
    "adam": tf.keras.optimizers.legacy.Adam,
    # Losses are means over a batch, so one id's gradient is tiny: from Keras' default accumulator of 0.1 it would
    # take many epochs before rare ids moved at all.
    "adagrad": partial(tf.keras.optimizers.legacy.Adagrad, initial_accumulator_value=1e-8),
    "rmsprop": tf.keras.optimizers.legacy.RMSprop,
    "sgd": tf.keras.optimizers.legacy.SGD,
    "ftrl": tf.keras.optimizers.legacy.Ftrl,
}


def build_funnel(experiment: Experiment) -> Funnel:
    """What the tasks are trained on."""
    return FUNNELS[experiment.funnel.name](experiment.log_schema, experiment.funnel)


def build_model(experiment: Experiment, layout: Layout, facts: LabelFacts | None = None) -> RankingModel:
    """Draw initial weights by the experiment's seed and compile with one optimiser for tables, one for the rest."""
    tf.keras.utils.set_random_seed(experiment.training.seed)
    schema = experiment.log_schema
    funnel = build_funnel(experiment)
    architecture = ARCHITECTURES[experiment.architecture.name].of_layout(
        [*schema.tasks, *funnel.extra_heads], experiment.architecture, layout
    )
    sets = architecture.embedding_sets
    model = RankingModel(
        schema,
        embedding=Embedding(layout, dropout=experiment.embedding.dropout, l2=experiment.embedding.l2, sets=sets),
        interactions=[INTERACTIONS[experiment.interaction.name](layout, experiment.interaction) for _ in range(sets)],
        architecture=architecture,
        weighting=WEIGHTINGS[experiment.weighting.name](experiment.weighting),
        funnel=funnel,
        facts=facts,
    )
    model.compile(optimizer=build_optimizer(model, experiment.optimizer))
    return model


def build_optimizer(model: RankingModel, options: Optimizer) -> tf.keras.optimizers.legacy.Optimizer:
    """One optimiser for the embedding tables, one for everything else."""
    tables = {table.ref() for table in model.embedding.tables.values()}

    def dense() -> list[tf.Variable]:
        every = [*model.shared_variables, *model.head_variables, *model.weighting.trainable_variables]
        return [variable for variable in every if variable.ref() not in tables]

    groups = [
        (_optimizer(options.dense), dense),
        (_optimizer(options.embeddings), lambda: list(model.embedding.tables.values())),
    ]
    return tfrs.experimental.optimizers.CompositeOptimizer(groups)


def _optimizer(group: OptimizerGroup) -> tf.keras.optimizers.legacy.Optimizer:
    clip = {} if group.clip_norm is None else {"clipnorm": group.clip_norm}
    return OPTIMIZERS[group.name](learning_rate=group.learning_rate, **clip)
