"""Models and batches for tests, at the smallest sizes that still have every part."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from ranker.architectures import ARCHITECTURES, Architecture
from ranker.encoding.kinds.sequence import TARGET_ATTENTION
from ranker.encoding.layout import Layout, LayoutBuilder
from ranker.funnels import FUNNELS
from ranker.layers import Embedding, Inputs, Sides
from ranker.layers.interaction import INTERACTIONS
from ranker.model import INPUTS, RankingModel
from ranker.schema import Schema
from ranker.weighting import Static, Weighting

SMALL = {
    "shared_bottom": {"bottom": (6, 5)},
    "independent": {"network": (6, 5)},
    "esmm": {"network": (6, 5)},
    "asymmetric": {"bottom": (6, 5)},
    "customized": {"bottom": (6, 5), "own_bottom": (4,)},
    "omoe": {"experts": 3, "expert_units": (6, 5)},
    "mmoe": {"experts": 3, "expert_units": (6, 5)},
    "ml_mmoe": {"experts": 3, "expert_units": (6, 5)},
    "cgc": {"expert_units": (6, 5)},
    "ple": {"expert_units": (6, 5)},
    "cross_stitch": {"layers": (6, 5)},
    "sluice": {"units": 6},
    "soft_sharing": {"layers": (6, 5)},
    "aitm": {"bottom": (6,), "transfer": 5},
    "dbmtl": {"bottom": (6, 5), "relation": (3,)},
    "pepnet": {"towers": (6, 5), "gate_units": 4},
    "home": {"expert_units": (6, 5), "rank": 2},
    "stem": {"expert_units": (6, 5)},
}
"""Sizes below the defaults for those that have large ones; others are tested with their defaults."""


TRAINABLE = [name for name, kind in ARCHITECTURES.items() if kind.trainable]
"""Those with weights: what is promised of gradients and variables is promised of them."""

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "click": {"kind": "binary"},
            "buy": {"kind": "binary", "given": "click"},
            "watch": {"kind": "regression", "transform": "log1p", "given": "click"},
        },
    }
)


def layout(pooling: str = "mean") -> Layout:
    builder = LayoutBuilder()
    for name, side in (("user", "context"), ("item", "candidate")):
        builder.table(name, 9, 4)
        builder.ids(side, name, name)
        builder.numbers(side, f"{name}_number", 2)
    builder.ids("context", "history", "item", length=3, pooling=pooling, attends=pooling in TARGET_ATTENTION, heads=2)
    return builder.build()


def architecture(name: str, tasks: list[str], **options: object) -> Architecture:
    kind = ARCHITECTURES[name]
    sizes = {"towers": (4,), **SMALL.get(name, {}), **options}
    return kind(tasks, kind.Options(**sizes))


def inputs_of(net: Architecture, sides: Sides) -> Inputs:
    """What the architecture reads: the sides, or as many different ones as it has sets of embeddings."""
    sets = [Sides(sides.context * (1 + i), sides.candidate * (1 - 0.3 * i)) for i in range(net.embedding_sets)]
    return sets if len(sets) > 1 else sets[0]


def assemble(
    schema: Schema,
    layout: Layout,
    net: Callable[[list[str]], Architecture],
    interaction: str = "none",
    weighting: Weighting | None = None,
    funnel: str = "esmm",
    **embedding: object,
) -> RankingModel:
    chosen = FUNNELS[funnel](schema)
    body = net(list(chosen.heads))
    return RankingModel(
        schema,
        Embedding(layout, sets=body.embedding_sets, **embedding),
        [INTERACTIONS[interaction](layout) for _ in range(body.embedding_sets)],
        body,
        weighting or Static(),
        funnel=chosen,
    )


def model_of(rows, name="ple", weighting: Weighting | None = None, interaction="none", funnel="esmm", **options):
    tf.keras.utils.set_random_seed(0)
    embedding = {"l2": options.pop("l2", 0.0), "dropout": options.pop("id_dropout", 0.0), "scale": 0.5}
    return assemble(
        rows.schema,
        rows.encoder.layout,
        lambda tasks: architecture(name, tasks, **options),
        interaction,
        weighting,
        funnel,
        **embedding,
    )


def each(*registries: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    """Names of one entry of every registry at a time, until each entry was there; shorter registries begin again."""
    names = [list(registry) for registry in registries]
    for i in range(max(map(len, names))):
        yield tuple(entries[i % len(entries)] for entries in names)


def batch_of(rows) -> dict[str, tf.Tensor]:
    batch = {name: tf.constant(array) for name, array in zip(INPUTS, rows.packed, strict=True) if array.shape[1]}
    batch["labels"] = tf.constant(rows.labels.values, tf.float32)
    batch["known"] = tf.constant(rows.labels.known.astype(np.float32))
    return batch
