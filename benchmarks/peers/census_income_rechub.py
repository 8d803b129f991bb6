"""Census income, by the protocol of the MMoE and PLE papers: torch-rechub's shared bottom, MMoE and PLE.

Uses its models, trainer and step, with batches as ready tensors, since its own loader takes one row at a time. As for
our models, the epoch with the best mean AUC on the validation half is kept; its own early stopping considers only one
task. Education and marital status are dropped; columns of text or with few values are embedded, and the others are
standardised numbers.
"""

import contextlib
import copy
import os
from json import dumps, loads
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from sklearn.metrics import roc_auc_score
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import MMOE, PLE, SharedBottom
from torch_rechub.trainers import MTLTrainer

from benchmarks import report
from benchmarks.kuairand import codes
from benchmarks.peers.census_income import DROPPED, SPLIT_SEED, TASKS, read, tested_half

NUMBERS = "numbers"
FEW = 100
BATCH = 1024
EPOCHS = 15
PATIENCE = 3
EXPERT, TOWER = {"dims": [128, 64], "dropout": 0.2}, {"dims": [32], "dropout": 0.2}


def model_of(name: str, features: list[Any]) -> Any:
    """One of its models, with the sizes of `configs/census_income.yaml`."""
    types, towers = ["classification"] * len(TASKS), [dict(TOWER) for _ in TASKS]
    if name == "shared_bottom":
        return SharedBottom(features, types, dict(EXPERT), towers)
    if name == "mmoe":
        return MMOE(features, types, 4, dict(EXPERT), towers)
    return PLE(features, types, 1, 2, 2, dict(EXPERT), towers)


def main(
    data: Annotated[Path, typer.Option(help="Folder with train.parquet and test.parquet.")],
    json: Annotated[Path, typer.Option(help="Where to write the results.")],
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    threads: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
) -> None:
    """Train each model with each seed; report mean and standard deviation of the AUC on the test half."""
    torch.set_num_threads(threads)
    frame, training_rows = read(data)
    labels = frame[list(TASKS)].to_numpy(dtype=np.float32)
    frame = frame.drop(columns=[*TASKS, *(name for name in DROPPED if name in frame)])
    features, inputs = _encoded(frame, training_rows)
    test = np.zeros(len(frame), dtype=bool)
    test[training_rows:] = tested_half(len(frame) - training_rows)
    validation = ~test
    validation[:training_rows] = False
    results = []
    kept = json.with_suffix(".jsonl")  # a fit takes minutes, so finished ones are kept
    done = {tuple(fit): aucs for fit, aucs in map(loads, kept.read_text().splitlines())} if kept.is_file() else {}
    for name in ("shared_bottom", "mmoe", "ple"):
        for seed in range(seeds):
            if (name, seed) not in done:
                done[name, seed] = _fitted(name, features, inputs, labels, training_rows, validation, test, seed)
                kept.parent.mkdir(parents=True, exist_ok=True)
                with kept.open("a") as file:
                    file.write(dumps([(name, seed), done[name, seed]]) + "\n")
        aucs = [done[name, seed] for seed in range(seeds)]
        mean, spread = np.mean(aucs, axis=0), np.std(aucs, axis=0, ddof=1) if seeds > 1 else np.zeros(len(TASKS))
        results.append(
            report.Result(
                f"torch-rechub {name}",
                dict(zip(TASKS, mean.tolist(), strict=True)),
                {"seeds": seeds, "deviation": dict(zip(TASKS, spread.tolist(), strict=True))},
            )
        )
    report.write(
        json,
        benchmark="census_income",
        protocol={"training_rows": training_rows, "split_seed": SPLIT_SEED, "dropped": list(DROPPED)},
        packages=("torch", "torch-rechub", "numpy", "scikit-learn"),
        results=results,
    )


def _encoded(frame: pd.DataFrame, training_rows: int) -> tuple[list[Any], dict[str, torch.Tensor]]:
    features: list[Any] = []
    inputs: dict[str, torch.Tensor] = {}
    numbers = []
    for name in frame:
        column = frame[name]
        numeric = pd.api.types.is_numeric_dtype(column)
        if numeric:
            values = column.to_numpy(dtype=np.float64)
            values = np.log1p(values) if values.min() >= 0 and values.max() > 1000 else values
            known = values[:training_rows]
            numbers.append((values - known.mean()) / (known.std() or 1.0))
        if not numeric or column.nunique() <= FEW:
            ids = codes(column.to_numpy())
            features.append(SparseFeature(str(name), vocab_size=int(ids.max()) + 1, embed_dim=8))
            inputs[str(name)] = torch.from_numpy(ids)
    features.append(DenseFeature(NUMBERS, embed_dim=len(numbers)))
    inputs[NUMBERS] = torch.from_numpy(np.column_stack(numbers).astype(np.float32))
    return features, inputs


def _fitted(
    name: str,
    features: list[Any],
    inputs: dict[str, torch.Tensor],
    labels: np.ndarray[Any, Any],
    training_rows: int,
    validation: np.ndarray[Any, Any],
    test: np.ndarray[Any, Any],
    seed: int,
) -> list[float]:
    torch.manual_seed(seed)
    model = model_of(name, [copy.deepcopy(feature) for feature in features])
    trainer = MTLTrainer(model, task_types=["classification"] * len(TASKS), optimizer_params={"lr": 1e-3})
    random, targets = np.random.default_rng(seed), torch.from_numpy(labels)
    best, kept, without = 0.0, None, 0
    for _ in range(EPOCHS):
        order = torch.from_numpy(random.permutation(training_rows))
        parts = [order[start : start + BATCH] for start in range(0, training_rows, BATCH)]
        batches = [({k: v[part] for k, v in inputs.items()}, targets[part]) for part in parts if len(part) > 1]
        with (
            Path(os.devnull).open("w") as silent,
            contextlib.redirect_stdout(silent),
            contextlib.redirect_stderr(silent),
        ):
            trainer.train_one_epoch(batches)
        mean = float(np.mean(_aucs(model, inputs, labels, validation)))
        if mean > best:
            best, kept, without = mean, copy.deepcopy(model.state_dict()), 0
        else:
            without += 1
        if without == PATIENCE:
            break
    model.load_state_dict(kept)
    return _aucs(model, inputs, labels, test)


def _aucs(
    model: Any, inputs: dict[str, torch.Tensor], labels: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]
) -> list[float]:
    model.eval()
    places = torch.from_numpy(np.flatnonzero(rows))
    with torch.no_grad():
        scores = torch.cat([model({k: v[part] for k, v in inputs.items()}) for part in places.split(8192)]).numpy()
    return [float(roc_auc_score(labels[rows, i], scores[:, i])) for i in range(len(TASKS))]


if __name__ == "__main__":
    typer.run(main)
