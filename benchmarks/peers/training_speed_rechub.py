"""Training speed of torch-rechub's PLE: its own trainer, with batches as ready tensors."""

import contextlib
import itertools
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import PLE
from torch_rechub.trainers import MTLTrainer

from benchmarks.kuairand import CATEGORICAL, TASKS
from benchmarks.training_speed_setup import SETUP, TrainingRows, batch, full_batches, in_circles, serve, training_rows

NUMBERS = "numbers"


def trainer(rows: TrainingRows) -> MTLTrainer:
    """The trainer and its model, with Adam without the trainer's default weight decay."""
    features = [
        SparseFeature(name, vocab_size=size, embed_dim=SETUP.embedding_dimension)
        for name, size in zip(CATEGORICAL, rows.vocabulary, strict=True)
    ]
    model = PLE(
        features=[*features, DenseFeature(NUMBERS, embed_dim=rows.numbers.shape[1])],
        task_types=["classification"] * len(TASKS),
        n_level=SETUP.levels,
        n_expert_specific=SETUP.specific_experts,
        n_expert_shared=SETUP.shared_experts,
        expert_params={"dims": list(SETUP.expert_units)},
        tower_params_list=[{"dims": list(SETUP.tower_units)} for _ in TASKS],
    )
    return MTLTrainer(
        model,
        task_types=["classification"] * len(TASKS),
        optimizer_params={"lr": SETUP.learning_rate},
    )


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
) -> None:
    """Train a segment for each line of standard input."""
    torch.set_num_threads(SETUP.threads)
    torch.manual_seed(0)
    rows = training_rows(data)
    ids, numbers, labels = torch.from_numpy(rows.ids.T.copy()).long(), *map(torch.from_numpy, rows[2:])
    prepared = [
        ({NUMBERS: numbers[part], **{name: ids[i, part] for i, name in enumerate(CATEGORICAL)}}, labels[part])
        for part in map(batch, range(full_batches(len(labels))))
    ]
    trained = trainer(rows)
    numbers_of_batches = in_circles(len(prepared))

    def train(steps: int) -> int:
        batches = [prepared[number] for number in itertools.islice(numbers_of_batches, steps)]
        # The trainer prints losses to standard output, which is reserved for lines of JSON.
        with contextlib.redirect_stdout(sys.stderr):
            trained.train_one_epoch(batches)
        return steps * SETUP.batch_size

    parameters = sum(each.numel() for each in trained.model.parameters())
    serve(side="torch-rechub", rows=len(labels), parameters=parameters, train=train)


if __name__ == "__main__":
    typer.run(main)
