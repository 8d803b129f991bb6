"""Training speed of DeepCTR's PLE: its Keras model and `fit`, on arrays in memory."""

import os
from pathlib import Path
from typing import Annotated

import typer

# DeepCTR is written for Keras 2, which TensorFlow takes from tf_keras only where this is set before its import.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from deepctr.feature_column import DenseFeat, SparseFeat  # type: ignore[import-not-found]
from deepctr.models import PLE  # type: ignore[import-not-found]

from benchmarks.kuairand import CATEGORICAL, TASKS
from benchmarks.training_speed_setup import SETUP, TrainingRows, measure, training_rows

NUMBERS = "numbers"


def model(rows: TrainingRows) -> tf.keras.Model:
    """The compiled model; without the L2 on embeddings that it has by default, which reads whole tables a step."""
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


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
) -> None:
    """Print one line of JSON: samples per second and seconds per epoch."""
    tf.config.threading.set_intra_op_parallelism_threads(SETUP.threads)
    tf.config.threading.set_inter_op_parallelism_threads(SETUP.threads)
    tf.keras.utils.set_random_seed(0)
    rows = training_rows(data)
    trained = model(rows)
    ids = rows.ids.T.copy()

    def train(steps: range) -> None:
        part = slice(steps.start * SETUP.batch_size, steps.stop * SETUP.batch_size)
        trained.fit(
            {NUMBERS: rows.numbers[part], **{name: ids[i, part] for i, name in enumerate(CATEGORICAL)}},
            [rows.labels[part, task] for task in range(len(TASKS))],
            batch_size=SETUP.batch_size,
            shuffle=False,
            verbose=0,
        )

    print(measure(peer="deepctr", rows=len(rows.labels), parameters=trained.count_params(), train=train))


if __name__ == "__main__":
    typer.run(main)
