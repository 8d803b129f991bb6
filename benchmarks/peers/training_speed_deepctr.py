"""Training speed of DeepCTR's PLE: its Keras model and the train step of its `fit`, on batches in memory."""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

# DeepCTR needs Keras 2, which TensorFlow takes from tf_keras only if this is set before its import.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from deepctr.feature_column import DenseFeat, SparseFeat
from deepctr.models import PLE

from benchmarks.kuairand import CATEGORICAL, TASKS
from benchmarks.training_speed_setup import SETUP, TrainingRows, full_batches, serve, training_rows

NUMBERS = "numbers"


def model(rows: TrainingRows) -> tf.keras.Model:
    """The compiled model, without its default L2 on embeddings, which reads whole tables in each step."""
    columns = [
        SparseFeat(name, vocabulary_size=size, embedding_dim=SETUP.embedding_dimension)
        for name, size in zip(CATEGORICAL, rows.vocabulary, strict=True)
    ]
    ple = PLE(
        [*columns, DenseFeat(NUMBERS, dimension=rows.numbers.shape[1])],
        shared_expert_num=SETUP.shared_experts,
        specific_expert_num=SETUP.specific_experts,
        num_levels=SETUP.levels,
        expert_dnn_hidden_units=SETUP.expert_units,
        tower_dnn_hidden_units=SETUP.tower_units,
        l2_reg_embedding=0.0,
        task_types=["binary"] * len(TASKS),
        task_names=TASKS,
    )
    ple.compile(tf.keras.optimizers.Adam(SETUP.learning_rate), loss=["binary_crossentropy"] * len(TASKS))
    return ple


def prepared(rows: TrainingRows) -> tf.data.Dataset:
    """An epoch of batches in memory, each as one element, so that no time is spent on slicing rows."""
    count = full_batches(len(rows.labels))

    def stacked(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return values[: count * SETUP.batch_size].reshape(count, SETUP.batch_size, *values.shape[1:])

    inputs = {NUMBERS: stacked(rows.numbers), **{name: stacked(rows.ids[:, i]) for i, name in enumerate(CATEGORICAL)}}
    labels = tuple(stacked(rows.labels[:, task]) for task in range(len(TASKS)))
    return tf.data.Dataset.from_tensor_slices((inputs, labels))


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
) -> None:
    """Train a segment for each line of standard input."""
    tf.config.threading.set_intra_op_parallelism_threads(SETUP.threads)
    tf.config.threading.set_inter_op_parallelism_threads(SETUP.threads)
    tf.keras.utils.set_random_seed(0)
    rows = training_rows(data)
    trained = model(rows)
    batches = iter(prepared(rows).repeat().prefetch(2))
    step = trained.make_train_function()

    def train(steps: int) -> int:
        for _ in range(steps):
            logs = step(batches)
        logs["loss"].numpy()  # waits until the step is done
        return steps * SETUP.batch_size

    serve(side="deepctr", rows=len(rows.labels), parameters=trained.count_params(), train=train)


if __name__ == "__main__":
    typer.run(main)
