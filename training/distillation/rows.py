"""Rows that a student learns from: pairs of a context and a candidate, with the full model's scores as labels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ranker.artifact import Artifact
from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk, DataError
from training.config.student import StudentOptions
from training.data.batches import EncodedRows, EncodedWriter
from training.data.encode import encode_inputs
from training.data.split.held_out import Split, uniform
from training.evaluation.evaluate import Scorer
from training.progress_listener import Progress

BATCH = 4096
STAGE = "score training rows"


def scored_pairs(
    artifact: Artifact, rows: Split, options: StudentOptions, score: Scorer, folder: Path, progress: Progress
) -> EncodedRows:
    """Encode and score the rows that the split trains on, and copies of them with other rows' candidates.

    Raises ``DataError`` if there are none, or if scores are not finite.
    """
    writer, random = EncodedWriter(folder), np.random.default_rng(options.seed)
    schema, encoder, written = artifact.schema, artifact.encoder, 0
    chunks = _thinned(rows, options, schema.encoded_columns())
    for items, columns in encode_inputs(schema, encoder, chunks, progress, STAGE):
        count = len(items.ids)
        for copy in range(1 + options.recombined):
            order = random.permutation(count) if copy else np.arange(count)
            packed = encoder.join(columns, items.taken(order), one_list=False)
            arrays = {name: array for name, array in packed._asdict().items() if array.shape[1]}
            scores = [score({n: a[i : i + BATCH] for n, a in arrays.items()}) for i in range(0, count, BATCH)]
            labels = np.concatenate(scores)
            for i, task in enumerate(artifact.manifest.tasks):
                if not np.isfinite(labels[:, i]).all():
                    raise DataError(f"{artifact.folder}: scores of {task} are not finite in these rows")
            writer.write({**arrays, "labels": labels, "known": np.ones_like(labels)})
            written += count
    if not written:
        raise DataError(
            "the data has no row to train the student on: the artifact's split holds out all of them; give the data "
            "that the model was trained on"
        )
    return writer.close()


def _thinned(rows: Split, options: StudentOptions, columns: list[str]) -> Iterator[tuple[Chunk, Mask]]:
    """Training rows, at most about ``options.rows`` of them if the log knows its length."""
    total = len(rows.log)
    share = min(1.0, options.rows / total) if total else 1.0
    for chunk, mask in rows.training(columns):
        yield chunk, mask if share == 1.0 else mask & (uniform(chunk, options.seed + 2) < share)
