"""PLE of this project at the sizes of the training-speed benchmark; prints the line its orchestrator reads."""

from pathlib import Path
from typing import Annotated

import numpy as np
import tensorflow as tf
import typer

import ranker  # noqa: F401  # before TensorFlow: it chooses Keras 2
from benchmarks.kuairand import CATEGORICAL, NUMERIC, TASKS
from benchmarks.training_speed_setup import SETUP, TrainingRows, batch, measure, training_rows
from ranker.architectures import PLE
from ranker.encoding.layout import Layout, LayoutBuilder
from ranker.layers import Embedding
from ranker.layers.interaction import NoInteraction
from ranker.model import RankingModel
from ranker.schema import Schema
from ranker.weighting import WEIGHTINGS
from training.build import build_optimizer
from training.config import Optimizer, OptimizerGroup

CANDIDATE = {"video_id", "duration_ms", *(name for name in (*CATEGORICAL, *NUMERIC) if name.startswith("i_"))}


def main(
    data: Annotated[Path, typer.Option(help="KuaiRand's train.parquet.")],
    weighting: Annotated[str, typer.Option(help="Balancing method, with its default options.")] = "static",
) -> None:
    """Measure and print."""
    tf.config.threading.set_intra_op_parallelism_threads(SETUP.threads)
    rows = training_rows(data)
    layout = _layout(rows)
    tasks = {name: {"kind": "binary"} for name in TASKS}
    schema = Schema.model_validate({"candidate": {"video_id": {"kind": "categorical"}}, "tasks": tasks})
    options = PLE.Options(
        levels=SETUP.levels,
        shared_experts=SETUP.shared_experts,
        task_experts=SETUP.specific_experts,
        expert_units=SETUP.expert_units,
        towers=SETUP.tower_units,
    )
    method = WEIGHTINGS[weighting]()
    model = RankingModel(schema, Embedding(layout), NoInteraction(layout), PLE(list(TASKS), options), method)
    adam = OptimizerGroup(name="adam", learning_rate=SETUP.learning_rate)
    model.compile(optimizer=build_optimizer(model, Optimizer(dense=adam, embeddings=adam)))
    arrays = _packed(rows)

    def train(numbers: range) -> None:
        span = slice(batch(numbers[0]).start, batch(numbers[-1]).stop)
        part = {name: array[span] for name, array in arrays.items()}
        dataset = tf.data.Dataset.from_tensor_slices(part).batch(SETUP.batch_size)
        model.fit(dataset, verbose=0)

    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    name = "ranker" if weighting == "static" else f"ranker {weighting}"
    print(measure(peer=name, rows=len(rows.labels), parameters=parameters, train=train))


def _layout(rows: TrainingRows) -> Layout:
    builder = LayoutBuilder()
    for name, size in zip(CATEGORICAL, rows.vocabulary, strict=True):
        builder.table(name, size, SETUP.embedding_dimension)
        builder.ids("candidate" if name in CANDIDATE else "context", name, name)
    for name in NUMERIC:
        builder.numbers("candidate" if name in CANDIDATE else "context", name, 1)
    return builder.build()


def _packed(rows: TrainingRows) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    def side(names: tuple[str, ...], values: np.ndarray, candidate: bool) -> np.ndarray:  # type: ignore[type-arg]
        chosen = [i for i, name in enumerate(names) if (name in CANDIDATE) == candidate]
        return np.ascontiguousarray(values[:, chosen])

    return {
        "context_ids": side(CATEGORICAL, rows.ids, candidate=False),
        "context_numbers": side(NUMERIC, rows.numbers, candidate=False),
        "candidate_ids": side(CATEGORICAL, rows.ids, candidate=True),
        "candidate_numbers": side(NUMERIC, rows.numbers, candidate=True),
        "labels": rows.labels,
        "known": np.ones_like(rows.labels),
    }


if __name__ == "__main__":
    typer.run(main)
