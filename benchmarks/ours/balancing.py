"""Our train step under one balancing method, for balancing_cost."""

import itertools
from typing import Annotated

import numpy as np
import tensorflow as tf
import typer
import yaml

from benchmarks.balancing_setup import SETUP, batches
from benchmarks.training_speed_setup import serve
from ranker.encoding.layout import LayoutBuilder
from training.config.experiment import Experiment
from training.trainer.build_model import build_model


def experiment(architecture: str, weighting: str) -> Experiment:
    """A two-level PLE or an MMoE, with Adam on all variables and no dropout."""
    adam = {"name": "adam", "learning_rate": SETUP.learning_rate}
    sizes = {
        "ple": {"levels": 2, "shared_experts": SETUP.experts - len(SETUP.tasks), "task_experts": 1},
        "mmoe": {"experts": SETUP.experts},
    }
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.1}},
            "schema": {
                "candidate": {"c0": {"kind": "categorical", "dimension": SETUP.dimension}},
                "tasks": {task: {"kind": "binary"} for task in SETUP.tasks},
            },
            "architecture": {
                "name": architecture,
                "expert_units": SETUP.expert_units,
                "towers": SETUP.tower_units,
                **sizes[architecture],
            },
            "weighting": yaml.safe_load(weighting),
            "optimizer": {"dense": adam, "embeddings": adam},
            "training": {"batch_size": SETUP.batch_size, "threads": SETUP.threads},
        }
    )


def main(
    architecture: Annotated[str, typer.Option(help="ple or mmoe.")],
    weighting: Annotated[str, typer.Option(help="A name, or a mapping in YAML.")] = "static",
) -> None:
    """Train a segment for each line of standard input."""
    tf.config.threading.set_intra_op_parallelism_threads(SETUP.threads)
    tf.config.threading.set_inter_op_parallelism_threads(SETUP.threads)
    builder = LayoutBuilder()
    for column in range(SETUP.categorical):
        builder.table(f"c{column}", SETUP.vocabulary, SETUP.dimension)
        builder.ids("candidate", f"c{column}", f"c{column}")
    builder.numbers("candidate", "numbers", SETUP.numeric)
    model = build_model(experiment(architecture, weighting), builder.build(), steps_per_epoch=1000)
    local = np.arange(SETUP.categorical, dtype=np.int32) * SETUP.vocabulary  # the layout adds each field's offset
    arrays = [
        {"candidate_ids": ids - local, "candidate_numbers": numbers, "labels": labels, "known": np.ones_like(labels)}
        for ids, numbers, labels in batches()
    ]
    data = tf.data.Dataset.from_tensor_slices({name: np.stack([a[name] for a in arrays]) for name in arrays[0]})
    coming, step = iter(data.repeat().prefetch(2)), model.make_train_function()

    def train(count: int) -> int:
        for _ in itertools.repeat(None, count):
            logs = step(coming)
        logs["losses"].numpy()  # waits until the step is done
        return count * SETUP.batch_size

    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    serve(side=weighting, rows=SETUP.batch_size * SETUP.batches, parameters=parameters, train=train)


if __name__ == "__main__":
    typer.run(main)
