"""Models and batches for tests, at the smallest sizes that still have every part."""

import numpy as np
import tensorflow as tf

from ranker.architectures import ARCHITECTURES, Architecture
from ranker.layers import Embedding
from ranker.layers.interaction import INTERACTIONS
from ranker.model import INPUTS, RankingModel
from ranker.weighting import Static, Weighting

SMALL = {
    "shared_bottom": {"bottom": (6, 5)},
    "mmoe": {"experts": 3, "expert_units": (6, 5)},
    "ple": {"expert_units": (6, 5)},
    "esmm": {"towers": (6, 5)},
}
"""Sizes below the defaults for those that have large ones; others are tested with their defaults."""


def architecture(name: str, tasks: list[str], **options: object) -> Architecture:
    kind = ARCHITECTURES[name]
    sizes = {"towers": (4,), **SMALL.get(name, {}), **options}
    return kind(tasks, kind.Options(**sizes))


def model_of(rows, name="ple", weighting: Weighting | None = None, interaction="none", funnel="esmm", **options):
    tf.keras.utils.set_random_seed(0)
    layout = rows.encoder.layout
    return RankingModel(
        rows.schema,
        Embedding(layout, l2=options.pop("l2", 0.0), dropout=options.pop("id_dropout", 0.0), scale=0.5),
        INTERACTIONS[interaction](layout),
        architecture(name, list(rows.schema.tasks), **options),
        weighting or Static(),
        funnel=funnel,
    )


def batch_of(rows) -> dict[str, tf.Tensor]:
    batch = {name: tf.constant(array) for name, array in zip(INPUTS, rows.packed, strict=True) if array.shape[1]}
    batch["labels"] = tf.constant(rows.labels.values, tf.float32)
    batch["known"] = tf.constant(rows.labels.known.astype(np.float32))
    return batch
