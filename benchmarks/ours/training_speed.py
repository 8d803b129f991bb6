"""PLE trained as in a training job: encoded rows on disk, shuffled, one step per batch; for training_speed."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer

from benchmarks.kuairand import CATEGORICAL, DAY, NUMERIC, TASKS
from benchmarks.training_speed_setup import SETUP, serve
from ranker.log_files.log_reader import Log
from training.config.experiment import Experiment
from training.data.batches import EncodedRows
from training.data.encode import prepare
from training.distribution.reading import dataset
from training.trainer.build_model import build_model

CANDIDATE = {"video_id", "duration_ms", *(name for name in (*CATEGORICAL, *NUMERIC) if name.startswith("i_"))}


def experiment(weighting: str) -> Experiment:
    """The setup as a config; with Adam on all variables like the peers, not Adagrad on embeddings as by default."""
    categorical = {"kind": "categorical", "dimension": SETUP.embedding_dimension}
    numeric = {"kind": "numeric", "transform": "log1p"}
    features = {**dict.fromkeys(CATEGORICAL, categorical), **dict.fromkeys(NUMERIC, numeric)}
    adam = {"name": "adam", "learning_rate": SETUP.learning_rate}
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "time", "column": DAY, "last": 1}},
            "schema": {
                "context": {name: feature for name, feature in features.items() if name not in CANDIDATE},
                "candidate": {name: feature for name, feature in features.items() if name in CANDIDATE},
                "tasks": {task: {"kind": "binary"} for task in TASKS},
            },
            "architecture": {
                "name": "ple",
                "levels": SETUP.levels,
                "shared_experts": SETUP.shared_experts,
                "task_experts": SETUP.specific_experts,
                "expert_units": SETUP.expert_units,
                "towers": SETUP.tower_units,
            },
            "weighting": {"name": weighting},
            "optimizer": {"dense": adam, "embeddings": adam},
            "training": {"batch_size": SETUP.batch_size, "threads": SETUP.threads},
        }
    )


def steps(rows: EncodedRows, settings: Experiment) -> Iterator[tuple[Iterator[Any], int]]:
    """Yield for each step the iterator of its batch and the batch's number of rows, epoch after epoch."""
    size, total = settings.training.batch_size, len(rows)
    for epoch in itertools.count():
        batches = iter(dataset(rows, settings.training, epoch, 0, readers=1))
        for first in range(0, total, size):
            yield batches, min(size, total - first)


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
    weighting: Annotated[str, typer.Option(help="Balancing method, with default options.")] = "static",
) -> None:
    """Prepare as in a training job, then train a segment for each line of standard input."""
    tf.config.threading.set_intra_op_parallelism_threads(SETUP.threads)
    tf.config.threading.set_inter_op_parallelism_threads(SETUP.threads)
    settings = experiment(weighting)
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(settings, Log([data]), Path(folder))
        per_epoch = prepared.training.steps(settings.training.batch_size)
        model = build_model(settings, prepared.encoder.layout, steps_per_epoch=per_epoch)
        step = model.make_train_function()
        coming = steps(prepared.training, settings)

        def train(count: int) -> int:
            rows = 0
            for batches, size in itertools.islice(coming, count):
                logs = step(batches)
                rows += size
            logs["losses"].numpy()  # waits until the step is done
            return rows

        parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
        serve(side=f"ranker {weighting}", rows=len(prepared.training), parameters=parameters, train=train)


if __name__ == "__main__":
    typer.run(main)
