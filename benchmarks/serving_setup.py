"""Models of the serving benchmarks: a large and a small PLE over 16 categorical and 16 numeric features.

Each is a real artifact of a training job, fitted for a few steps on random rows: the benchmarks depend on its size, not
on what it learns. Half of the features belong to the context, half to the candidates; half of the categorical ones are
text.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from ranker.artifact import Artifact, ArtifactError, load

ROWS = 20_000
DAY = "day"
SIDES = {"context": "user", "candidate": "item"}
TASKS = ("click", "like", "share", "buy")
DIMENSION = 16
"""Width of every embedding, so that the model has 16 x 16 + 16 inputs."""
VALUES = {
    "user": (5_000, 1_000, 100, 50, 24, 12, 7, 3),
    "item": (10_000, 2_000, 200, 100, 50, 20, 10, 5),
}
"""Distinct values of each categorical feature; every second one is text, and the first is the id."""
SIZES: dict[str, dict[str, Any]] = {
    "large": {"levels": 2, "expert_units": [256, 128], "towers": [64]},
    "small": {"levels": 1, "expert_units": [64, 32], "towers": [16]},
}


def artifact_of(size: str, folder: Path) -> Artifact:
    """The artifact of a size under ``folder``; it is created if missing, in about a minute."""
    root = folder / size
    try:
        return load(root)
    except ArtifactError:
        shutil.rmtree(root, ignore_errors=True)
    from training.commands.fit import fit

    log = folder / "log.parquet"
    if not log.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(drawn(ROWS)), log)
    return fit(experiment(size), log, output=root, progress=Console(file=sys.stderr)).export()


def cascade_of(artifact: Artifact, folder: Path) -> Artifact:
    """The artifact with a student, under a folder of its own; it is distilled if missing, in a few minutes."""
    try:
        found = load(folder)
        if found.manifest.files["model.onnx"] == artifact.manifest.files["model.onnx"]:
            return found
    except ArtifactError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    from training.commands.distill import distill

    log = artifact.folder.parent.parent / "log.parquet"
    return distill(artifact, log, output=folder, progress=Console(file=sys.stderr)).export()


def drawn(rows: int, seed: int = 0) -> dict[str, Any]:
    """Columns of a log of ``rows`` impressions over ten days."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {DAY: np.sort(random.integers(0, 10, rows))}
    for side, sizes in VALUES.items():
        for i, size in enumerate(sizes):
            codes = random.integers(0, size, rows)
            columns[f"{side}_{i}"] = [f"{side} {code}" for code in codes] if i % 2 else codes
        for i in range(8):
            columns[f"{side}_number_{i}"] = random.lognormal(size=rows).round(4)
    columns.update({task: (random.random(rows) < 0.2).astype(np.int64) for task in TASKS})
    return columns


def request_of(candidates: int, seed: int = 1) -> dict[str, Any]:
    """A request with one user and ``candidates`` items with distinct ids."""
    columns = {name: values for name, values in drawn(candidates, seed).items() if name not in (DAY, *TASKS)}
    columns["item_0"] = np.random.default_rng(seed).permutation(VALUES["item"][0])[:candidates]
    plain = {name: values if isinstance(values, list) else values.tolist() for name, values in columns.items()}
    return {
        "context": {name: values[0] for name, values in plain.items() if name.startswith("user")},
        "candidates": {name: values for name, values in plain.items() if name.startswith("item")},
    }


def by_id(request: dict[str, Any]) -> dict[str, Any]:
    """The same request with only the ids of its items."""
    return {**request, "candidates": {"item_0": request["candidates"]["item_0"]}}


def write_items(request: dict[str, Any], file: Path) -> None:
    """Write an items file with all ids, including the items of the request."""
    asked = pa.table(request["candidates"])
    count = VALUES["item"][0]
    rest = {name: values for name, values in drawn(count, seed=2).items() if name.startswith("item")}
    rest["item_0"] = np.setdiff1d(np.arange(count), asked["item_0"].to_numpy())
    others = pa.table({name: values[: len(rest["item_0"])] for name, values in rest.items()}, schema=asked.schema)
    pq.write_table(pa.concat_tables([others, asked]), file)


def experiment(size: str) -> dict[str, Any]:
    """The config of a size, with the architecture's default numbers of shared and task experts."""
    features: dict[str, Any] = {
        side: {
            **{f"{name}_{i}": {"kind": "categorical", "dimension": DIMENSION} for i in range(len(VALUES[name]))},
            **{f"{name}_number_{i}": {"kind": "numeric", "transform": "log1p"} for i in range(8)},
        }
        for side, name in SIDES.items()
    }
    return {
        "data": {"split": {"by": "time", "column": DAY, "last": 1}},
        "schema": {"candidate_id": "item_0", **features, "tasks": {task: {"kind": "binary"} for task in TASKS}},
        "architecture": {"name": "ple", **SIZES[size]},
        "weighting": {"name": "static"},
        "training": {"epochs": 1, "batch_size": 4096, "seed": 0},
        "evaluation": {"bootstrap": 0},
    }


def plain_saved_model(artifact: Artifact, folder: Path) -> Path:
    """The same model as a SavedModel with one input and one look-up per feature, as in a functional Keras model.

    Every input has one row per candidate, so the context is repeated. Created if missing.
    """
    if (folder / "saved_model.pb").is_file():
        return folder
    from ranker.layers import Sides
    from training.config.experiment import Experiment
    from training.trainer.build_model import build_model

    import tensorflow as tf  # isort: skip - after ranker, which selects Keras 2

    layout = artifact.encoder.layout
    model = build_model(Experiment.model_validate(artifact.manifest.experiment), layout)
    trained = tf.saved_model.load(str(artifact.saved_model_path))
    for variable, value in zip(model.variables, trained.kept, strict=True):
        variable.assign(value)
    table = next(iter(model.embedding.tables.values()))
    signature = {
        field.feature: tf.TensorSpec([None], dtype, name=field.feature)
        for _, side in layout.sides()
        for fields, dtype in ((side.ids, tf.int32), (side.numbers, tf.float32))
        for field in fields
    }

    @tf.function(input_signature=[signature])
    def score(inputs: Any) -> dict[str, Any]:
        parts = []
        for _, side in layout.sides():
            embedded = [tf.nn.embedding_lookup(table, inputs[f.feature] + f.offset) for f in side.ids]
            parts.append(tf.concat([*embedded, *(inputs[f.feature][:, None] for f in side.numbers)], axis=1))
        shared = model.architecture.trunk(model.interactions[0](Sides(*parts)))
        return {"scores": model.funnel.scores(model.architecture.logits(shared, heads=len(model.tasks)))}

    module = tf.Module()
    module.kept, module.score = list(model.variables), score
    tf.saved_model.save(module, str(folder), signatures=score)
    return folder
