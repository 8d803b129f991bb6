"""Builds a student: a small model over the same packed inputs, with narrower embedding tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ranker.artifact import Artifact
from ranker.encoding.layout import Layout, SideLayout
from ranker.encoding.table_regions import TablesInside
from ranker.engines.row_tables import RowTables
from ranker.model import RankingModel
from training.config.experiment import CHOICES, ConfigError, Experiment
from training.config.student import StudentOptions
from training.config.training import EmbeddingOptions
from training.distillation.targets import Standardised, Target
from training.export.onnx import TABLE
from training.trainer.build_model import build_model


def student_experiment(
    artifact: Artifact, options: StudentOptions, weights: Mapping[str, float] | None = None
) -> Experiment:
    """The experiment of a student: independent tasks, whose labels are the full model's scores.

    ``weights`` are those of the tasks' losses, by default 1.

    A full model's score of a task with ``given`` is a product along its chain. The student learns the product itself,
    which is what is served. Raises ``ConfigError`` if the options do not fit the tasks or features.
    """
    full = Experiment.model_validate(artifact.manifest.experiment)
    tasks = {name: task.taught() for name, task in artifact.schema.tasks.items()}
    schema = artifact.schema.model_copy(update={"tasks": tasks, "sample_weight": None})
    for name, section in (("architecture", options.architecture), ("interaction", options.interaction)):
        try:
            section.check(schema)
        except ValueError as error:
            raise ConfigError(f"{name}.{error}") from None
    training = {"epochs": options.epochs, "batch_size": options.batch_size, "seed": options.seed}
    return full.model_copy(
        update={
            "log_schema": schema,
            "architecture": options.architecture,
            "interaction": options.interaction,
            "funnel": CHOICES["funnel"]["esmm"].Options(),
            "weighting": CHOICES["weighting"]["static"].Options(weights=dict(weights or {})),
            "embedding": EmbeddingOptions(),
            "ensemble": None,
            "position": None,
            "optimizer": options.optimizer,
            "training": full.training.model_copy(update={**training, "precision": "float32"}),
        }
    )


def narrower(layout: Layout, dimension: int) -> Layout:
    """The layout with embeddings of about ``dimension`` columns at most, at the same places of the packed arrays.

    Distinct widths stay distinct, since features of one width share a table: they become d, d + 1, ... Lists that
    attend to the candidate are averaged instead, which costs nothing per candidate.
    """
    widths, last = {}, 0
    for width in sorted(layout.tables):
        last = widths[width] = min(width, max(dimension, last + 1))

    def side(of: SideLayout) -> SideLayout:
        changed = {"target": None, "heads": 1}
        ids = (
            replace(
                field,
                dimension=widths[field.dimension],
                pooling=None if field.pooling is None else "mean",
                **changed,  # type: ignore[arg-type]
            )
            for field in of.ids
        )
        return SideLayout(tuple(ids), of.numbers)

    tables = {widths[width]: rows for width, rows in layout.tables.items()}
    return Layout(side(layout.context), side(layout.candidate), tables)


def build_student(
    artifact: Artifact, options: StudentOptions, steps_per_epoch: int, learnt: Sequence[Target]
) -> RankingModel:
    """Build and compile a student whose tables hold the principal components of the full model's.

    ``learnt`` are the tasks' means, scales and weights. Raises ``ConfigError`` if the options do not fit the artifact.
    """
    layout = artifact.encoder.layout
    weights = {task: target.weight for task, target in zip(artifact.manifest.tasks, learnt, strict=True)}
    experiment, small = student_experiment(artifact, options, weights), narrower(layout, options.dimension)
    try:
        model = build_model(experiment, small, steps_per_epoch=steps_per_epoch)
    except ValueError as error:
        raise ConfigError(f"the student cannot be built: {error}") from None
    full = full_tables(artifact)
    for width, target in zip(sorted(layout.tables), sorted(small.tables), strict=True):
        table = model.embedding.tables[str(target)]
        if str(width) in full and table.shape[1] == target:  # several sets per id start at random
            offsets = {field.offset for _, side in layout.sides() for field in side.ids if field.dimension == width}
            table.assign(principal(full[str(width)], sorted(offsets), target))
    model.funnel = Standardised(model.schema, learnt)
    return model


def full_tables(artifact: Artifact) -> dict[str, NDArray[np.float32]]:
    """The full model's embedding tables by width: the rows in its graph, and those beside it."""
    layout, beside = artifact.encoder.layout, RowTables.beside(artifact.model_path)
    inside, held = TablesInside(layout, beside.tables), _in_graph(artifact)
    whole = {}
    for width, rows in layout.tables.items():
        mapped = {region: beside.tables[region.feature] for region in inside.beside if region.dimension == width}
        columns = [part.shape[1] for part in (held.get(str(width)),) if part is not None]
        columns += [table.facts.width for table in mapped.values()]
        if not columns:
            continue
        table = whole[str(width)] = np.empty((rows, columns[0]), dtype=np.float32)
        first = 0
        for start, end in inside.ranges(width):
            table[start:end] = held[str(width)][first : first + end - start]
            first += end - start
        for region, source in mapped.items():
            part = table[region.offset : region.offset + region.rows]
            source.take(np.arange(region.rows)[:, None], part[:, None, :])
    return whole


def _in_graph(artifact: Artifact) -> dict[str, NDArray[np.float32]]:
    return {
        constant.name.removeprefix(TABLE): numpy_helper.to_array(constant)
        for constant in onnx.load(str(artifact.model_path)).graph.initializer
        if constant.name.startswith(TABLE)
    }


def principal(table: NDArray[np.float32], offsets: list[int], columns: int) -> NDArray[np.float32]:
    """Principal components [rows, ``columns``] of each feature's rows, which begin at ``offsets``.

    They are uncentred, so that a missing or unknown id keeps its place relative to the others. A table that is narrow
    enough is returned as it is.
    """
    if table.shape[1] <= columns:
        return table
    reduced = np.zeros((len(table), columns), dtype=np.float32)
    for start, end in zip(offsets, [*offsets[1:], len(table)], strict=True):
        rows = table[start:end].astype(np.float64)
        _, vectors = np.linalg.eigh(rows.T @ rows)
        reduced[start:end] = rows @ vectors[:, ::-1][:, :columns]
    return reduced
