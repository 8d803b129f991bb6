"""Scores tables in memory: a DataFrame, an Arrow table, or a stream of record batches."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from ranker.cluster.session import cluster_at
from ranker.cluster.shipped import Shipped
from ranker.cluster.versions import versions
from ranker.cpus import cores
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import ArrowChunk
from ranker.prediction.job import BLOCK
from ranker.prediction.on_ray import Job, scored_blocks
from ranker.prediction.pipeline import in_order
from ranker.prediction.predictor import Predicted, Predictor, types_of
from ranker.prediction.wire import PackedBlock

if TYPE_CHECKING:
    import pandas as pd

Score: TypeAlias = Callable[[Iterator[Any], pa.Schema, str], Iterator[Predicted]]
"""From batches, the results' schema and the name of the data to results."""
Data: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch]"


def predict_table(predictor: Predictor, data: Data, threads: int = 0, ray: str | None = None) -> Any:
    """Score rows in memory with a predictor.

    Parameters
    ----------
    predictor
        Made with as many ``streams`` as ``threads``.
    data
        A DataFrame, an Arrow table or record batch, or an iterable of record batches, which is read as results are.
    threads
        Threads that encode and score; 0 for one per core.
    ray
        Address of a Ray cluster that scores instead, or ``local``; not for an iterable of record batches.

    Returns
    -------
    For a DataFrame, a DataFrame with the index of its rows; for an Arrow table or batch, a table; otherwise an iterator
    of record batches.

    Raises
    ------
    DataError
        For missing columns and invalid values; for an iterable, while it is read. Also for an iterable with ``ray``.
    ClusterError
        If the cluster cannot be used, or fails.
    """
    threads = threads or cores()
    score = partial(_on_cluster, predictor, address=ray) if ray is not None else partial(_here, predictor, threads)
    if hasattr(data, "iloc"):
        return _of_frame(predictor, data, score)
    if isinstance(data, pa.Table | pa.RecordBatch):
        schema = predictor.schema(_types(predictor, data))
        results = [result.table for result in score(_batches(data), schema, "table")]
        return pa.concat_tables([schema.empty_table(), *results])
    if not isinstance(data, Iterable) or isinstance(data, str | bytes):
        raise DataError(f"data: must be a DataFrame, an Arrow table or record batches, got {type(data).__name__}")
    if ray is not None:
        raise DataError(
            "data: a cluster scores a DataFrame or an Arrow table; write a stream of record batches to Parquet "
            "files, and score these with `ranker-train predict --ray`"
        )
    return _streamed(predictor, iter(data), score)


def _of_frame(predictor: Predictor, frame: Any, score: Score) -> Any:
    table = _arrow(frame, dict.fromkeys([*predictor.columns, *predictor.options.copied]))
    schema = predictor.schema(_types(predictor, table))
    results = list(score(_batches(table), schema, "DataFrame"))
    new = pa.concat_tables([schema.empty_table(), *(result.table for result in results)]).select(
        predictor.new_schema.names
    )
    rows = _positions(results)
    found = new.to_pandas()
    found.index = frame.index[rows]
    names = [str(name) for name in frame.columns]
    for place, name in enumerate(predictor.options.copied):
        found.insert(place, name, frame.iloc[:, names.index(name)].iloc[rows])
    return found


def _positions(results: list[Predicted]) -> Any:
    """Rows of the whole input that results have kept."""
    found, first = [np.empty(0, dtype=np.intp)], 0
    for result in results:
        rows = np.arange(result.read) if result.rows is None else result.rows
        found.append(first + rows)
        first += result.read
    return np.concatenate(found)


def _arrow(frame: Any, columns: Iterable[str]) -> pa.Table:
    """Columns of a DataFrame as an Arrow table; absent ones are left out."""
    names = [str(name) for name in frame.columns]
    arrays, held = [], []
    for column in columns:
        for place in (place for place, name in enumerate(names) if name == column):
            try:
                arrays.append(pa.Array.from_pandas(frame.iloc[:, place]))
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise DataError(f"DataFrame, column {column!r}: {str(error).splitlines()[0]}") from None
            held.append(column)
    others = [name for name in names if name not in held]  # for messages about a missing column
    rows = len(frame)
    return pa.table([*arrays, *(pa.nulls(rows) for _ in others)], names=[*held, *others])


def _types(predictor: Predictor, table: Any) -> dict[str, Any]:
    predictor.chunk_of(table.slice(0, 0) if hasattr(table, "schema") else table, "table")
    return types_of(table)


def _batches(table: Any) -> Iterator[Any]:
    return iter(table.to_batches(max_chunksize=BLOCK)) if isinstance(table, pa.Table) else iter([table])


def _streamed(predictor: Predictor, batches: Iterator[Any], score: Score) -> Iterator[pa.RecordBatch]:
    first = next(batches, None)
    if first is None:
        return
    schema = predictor.schema(_types(predictor, first))

    def every() -> Iterator[Any]:
        yield first
        yield from batches

    for result in score(every(), schema, "data"):
        yield from result.table.to_batches()


def _here(
    predictor: Predictor, threads: int, batches: Iterator[Any], schema: pa.Schema, source: str
) -> Iterator[Predicted]:
    blocks = predictor.blocks(_chunks(predictor, batches, source))
    return in_order(partial(predictor.predict, schema=schema), blocks, threads)


def _on_cluster(
    predictor: Predictor, batches: Iterator[Any], schema: pa.Schema, source: str, *, address: str
) -> Iterator[Predicted]:
    blocks = [PackedBlock.of(block) for block in predictor.blocks(_chunks(predictor, batches, source))]
    with cluster_at(address) as cluster:
        options = replace(predictor.options, engine=predictor.engine)
        job = Job(Shipped.of(predictor.artifact, cluster), options, schema, versions(predictor.engine))
        yield from scored_blocks(cluster, job, blocks)


def _chunks(predictor: Predictor, batches: Iterator[Any], source: str) -> Iterator[ArrowChunk]:
    first = 0
    for batch in batches:
        chunk = predictor.chunk_of(batch, source, first)
        for start in range(0, chunk.rows, BLOCK):
            yield chunk.rows_from(start, min(start + BLOCK, chunk.rows))
        first += chunk.rows
