"""Exports a student next to the full model of an artifact, verified against Keras."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import onnx
import tensorflow as tf

from ranker.artifact import TOLERANCE, Artifact, difference
from ranker.encoding import Packed
from ranker.engines.row_tables import folder_of
from ranker.inference.pool import Sent
from ranker.model import INPUTS, RankingModel
from training.data.batches import Batch
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.export import ExportError
from training.export.onnx import to_onnx
from training.export.tables import DEFAULT, beside, write_tables


def golden_scores(model: RankingModel, artifact: Artifact) -> tuple[dict[str, list[float]], ...]:
    """The Keras student's scores by task of each golden request, in candidate order."""
    return tuple(
        dict(zip(model.tasks, model(_tensors(batch)).numpy().T.tolist(), strict=True)) for batch in _golden(artifact)
    )


def write_student(model: RankingModel, path: Path, artifact: Artifact) -> None:
    """Write the student's graph, with large tables beside it, and compare ONNX Runtime with Keras on golden requests.

    Raises ``ExportError``.
    """
    shutil.rmtree(folder_of(path), ignore_errors=True)  # of an interrupted run
    regions = beside(model, DEFAULT)
    onnx.save_model(to_onnx(model, [region.feature for region in regions]), str(path))
    write_tables(model, regions, DEFAULT.precision, path)
    score = onnx_scorer(path)
    for batch in _golden(artifact):
        worst = difference(score(batch), model(_tensors(batch)).numpy())
        if not worst <= TOLERANCE:
            raise ExportError(
                f"the student's scores by ONNX and Keras differ by {worst:.2e}, more than {TOLERANCE:.0e}: not exported"
            )


def _golden(artifact: Artifact) -> Sequence[Batch]:
    packed = (
        Sent(artifact, golden.candidates).packed({name: [value] for name, value in golden.context.items()})
        for golden in artifact.golden
    )
    return [_batch(one) for one in packed]


def _batch(packed: Packed) -> Batch:
    return {name: array for name, array in zip(INPUTS, packed, strict=True) if array.shape[1]}


def _tensors(batch: Batch) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array) for name, array in batch.items()}
