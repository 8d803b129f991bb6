"""Builds a compiled model from an experiment and a fitted layout."""

from logging import LogRecord

import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.architectures.averaged import Averaged
from ranker.encoding import Layout
from ranker.fitted_tasks import fitted_schema
from ranker.funnels import FUNNELS, Funnel
from ranker.layers import Embedding
from ranker.layers.interaction import INTERACTIONS
from ranker.layers.sharded_table import Partition
from ranker.model import RankingModel
from ranker.position import POSITION_METHODS
from ranker.weighting import WEIGHTINGS, LabelFacts
from training.config.experiment import CHOICES, Experiment
from training.config.optimizer import Optimizer
from training.trainer.build_optimizer import build_optimizer
from training.trainer.precision import chosen


def build_funnel(experiment: Experiment, layout: Layout) -> Funnel:
    """The experiment's funnel: what the tasks, with their state from the layout, are trained on."""
    return FUNNELS[experiment.funnel.name](fitted_schema(experiment.log_schema, layout), experiment.funnel)


def build_model(
    experiment: Experiment,
    layout: Layout,
    facts: LabelFacts | None = None,
    steps_per_epoch: int | None = None,
    partition: Partition | None = None,
) -> RankingModel:
    """Build the model with initial weights from the experiment's seed; compile it if ``steps_per_epoch`` is given.

    Of an architecture without weights, the interaction, balancing and optimiser are the defaults, whatever the config
    says. Learning-rate schedules span ``steps_per_epoch`` times the config's epochs. ``partition`` divides the tables
    into shards. Raises ``ValueError`` for optimiser settings that do not fit the model or the number of steps.
    """
    tf.get_logger().addFilter(_is_no_retracing)
    tf.keras.utils.set_random_seed(experiment.training.seed)
    schema, funnel = fitted_schema(experiment.log_schema, layout), build_funnel(experiment, layout)
    kind = ARCHITECTURES[experiment.architecture.name]
    layout = kind.read(layout)
    members = 1 if experiment.ensemble is None else experiment.ensemble.seeds
    each = [kind.of_layout(funnel.heads, experiment.architecture, layout) for _ in range(members)]
    architecture = Averaged(each) if members > 1 else each[0]
    experiment = experiment if kind.trainable else _untrained(experiment)
    sets, rules, place = architecture.embedding_sets, experiment.embedding, experiment.position
    model = RankingModel(
        schema,
        embedding=Embedding(
            layout,
            dropout=rules.dropout,
            l2=rules.l2,
            sets=sets,
            members=members,
            partition=partition,
            seed=experiment.training.seed,
        ),
        interactions=[INTERACTIONS[experiment.interaction.name](layout, experiment.interaction) for _ in range(sets)],
        architecture=architecture,
        weighting=WEIGHTINGS[experiment.weighting.name](experiment.weighting),
        funnel=funnel,
        facts=facts,
        precision=chosen(experiment.training).precision,
        position=None if place is None else POSITION_METHODS[place.method](place, schema.tasks, layout),
    )
    if steps_per_epoch is not None:
        steps = steps_per_epoch * experiment.training.epochs
        model.compile(optimizer=build_optimizer(model, experiment.optimizer, steps))
    return model


def _is_no_retracing(record: LogRecord) -> bool:
    """Leave out the advice against tracing anew: TensorFlow counts by code, and every model is traced once."""
    return "triggered tf.function retracing" not in record.getMessage()


def _untrained(experiment: Experiment) -> Experiment:
    """The experiment with the default interaction, balancing and optimiser."""
    return experiment.model_copy(
        update={
            "interaction": CHOICES["interaction"]["none"].Options(),
            "weighting": CHOICES["weighting"]["static"].Options(),
            "optimizer": Optimizer(),
        }
    )
