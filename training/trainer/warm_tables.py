"""Starts embedding tables from given vectors, such as those of texts or pictures, by id."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder
from ranker.encoding.columns import Ragged
from ranker.encoding.kinds.coded import CodedEncoding
from ranker.encoding.table_regions import TableRegion, table_regions
from ranker.encoding.vocabulary import RESERVED
from ranker.layers.embedding import Embedding
from ranker.layers.sharded_table import scatter_rows
from ranker.log_files.log_reader import Chunk, DataError, Log
from training.config.experiment import Experiment

VECTOR = "vector"
"""Column of a file of vectors that holds them: lists of numbers of one length."""
Floats = NDArray[np.float64]


def warm_tables(embedding: Embedding, experiment: Experiment, encoder: Encoder, note: Callable[[str], None]) -> None:
    """Assign the vectors of ``embedding.from`` to the rows of their ids; other ids keep their initial rows.

    Vectors wider than the table are projected on their first principal components. They are scaled to the root mean
    square of the initial rows, so that learning rates fit. ``note`` is told how many ids have a vector. Raises
    ``DataError`` if a file cannot be used.
    """
    regions = {region.feature: region for region in table_regions(encoder.layout)}
    for feature, path in experiment.embedding.vectors.items():
        region, column = regions[feature], experiment.log_schema.column(feature)
        encoding = encoder.encodings[feature]
        assert isinstance(encoding, CodedEncoding), "the config is checked"
        rows, vectors = _read(path, column, encoding)
        if not len(rows):
            raise DataError(f"embedding.from.{feature}: {path} has no vector of an id in the log")
        table = embedding.tables[str(region.dimension)]
        start = fitted(vectors, region.dimension, embedding.scale / np.sqrt(3), f"embedding.from.{feature}: {path}")
        scatter_rows(table, region.offset + rows, np.tile(start, embedding.sets))
        note(_told(feature, len(rows), region))


def fitted(vectors: NDArray[np.floating], width: int, size: float, where: str = "vectors") -> Floats:
    """Vectors [N, V] as rows [N, width] of root mean square ``size``, by their first principal components if V is more.

    Raises ``DataError`` if V is less than the width, or if all vectors are zero.
    """
    if vectors.shape[1] < width:
        raise DataError(
            f"{where} has vectors of {vectors.shape[1]} numbers, and the table is {width} wide; set the feature's "
            f"dimension to at most {vectors.shape[1]}"
        )
    vectors = vectors.astype(np.float64)
    if vectors.shape[1] > width:
        centred = vectors - vectors.mean(axis=0)
        _, axes = np.linalg.eigh(centred.T @ centred)  # ascending
        vectors = centred @ axes[:, ::-1][:, :width]
    mean_square = float(np.mean(vectors**2))
    if mean_square == 0:
        raise DataError(f"{where} has only equal vectors" if len(vectors) > 1 else f"{where} has only zeros")
    scaled: Floats = vectors * (size / np.sqrt(mean_square))
    return scaled


def _read(path: str, column: str, encoding: CodedEncoding) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Rows [N] of the table, and the vectors [N, V] of their ids; the last one counts if an id has several."""
    found: list[tuple[NDArray[np.intp], NDArray[np.float32]]] = []
    for chunk in Log([path], {column: "id"}).chunks([column, VECTOR]):
        vectors = _vectors(chunk)
        with chunk.naming_rows():
            rows = encoding.table[encoding.coder.codes(chunk.columns[column], column)]
        width = found[0][1].shape[1] if found else vectors.shape[1]
        if vectors.shape[1] != width:
            raise DataError(f"{chunk.source}: has vectors of {vectors.shape[1]} numbers, and others have {width}")
        known = rows >= RESERVED
        found.append((rows[known].astype(np.intp), vectors[known]))
    if not found:
        return np.zeros(0, np.intp), np.zeros((0, 0), np.float32)
    rows = np.concatenate([part for part, _ in found])
    ordered, last = np.unique(rows[::-1], return_index=True)
    return ordered.astype(np.intp), np.concatenate([part for _, part in found])[::-1][last]


def _vectors(chunk: Chunk) -> NDArray[np.float32]:
    """The vectors [N, V] of a chunk. Raises ``DataError`` if they are not lists of finite numbers of one length."""
    column = chunk.columns[VECTOR]
    values = np.asarray(column.values) if isinstance(column, Ragged) else np.empty(0)
    if not isinstance(column, Ragged) or values.dtype.kind not in "iuf":
        raise DataError(f"{chunk.source}: column {VECTOR!r} must hold lists of numbers")
    lengths = np.diff(column.offsets)
    for row, problem in _problems(values, lengths, column.offsets):
        raise DataError(f"{chunk.source}, row {chunk.first + row}: its vector {problem}")
    return values.reshape(len(lengths), -1).astype(np.float32)


def _problems(
    values: NDArray[np.generic], lengths: NDArray[np.intp], offsets: NDArray[np.intp]
) -> Iterator[tuple[int, str]]:
    odd = np.flatnonzero((lengths != lengths[:1].max(initial=0)) | (lengths == 0))
    if len(odd):
        yield int(odd[0]), f"has {lengths[odd[0]]} numbers, and the first one {lengths[0]}"
    infinite = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
    if len(infinite):
        yield int(np.searchsorted(offsets, infinite[0], side="right")) - 1, "has a number that is not finite"


def _told(feature: str, count: int, region: TableRegion) -> str:
    return f"embedding rows of {feature}: {count:,} of {region.rows - RESERVED:,} start from vectors"
