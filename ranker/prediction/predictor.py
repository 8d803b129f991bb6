"""Arrow rows in, Arrow rows out: encodes, scores, calibrates, and ranks whole lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.artifact import load as load_artifact
from ranker.encoding import Column, Packed
from ranker.encoding.unseen import IdCounts, id_counts
from ranker.engines import Engine, EngineOptions, engine_of
from ranker.fusion import Candidates
from ranker.inference.cascade import sized, student_engine
from ranker.inference.model import Model
from ranker.inference.pool import fusion_values
from ranker.log_files.errors import DataError
from ranker.log_files.lists import Block, ListKeys, SeenLists, whole_lists, with_inputs
from ranker.log_files.log_reader import LIST_BY, ArrowChunk, Chunk
from ranker.prediction.options import PredictOptions
from ranker.prediction.ranked_lists import DROPPED, RankedLists, RankedRows, not_finite
from ranker.registry import suggestion
from ranker.schema import Schema

ROWS = 2048
"""Rows that are scored in one call of the engine without lists; a fixed number, so that results do not vary."""
SCORE, FUSED, RANK, SCORED_BY = "score_", "fused", "rank", "scored_by"
"""Prefix of an objective's scores, and names of the other new columns."""


class Predicted(NamedTuple):
    """Result of a block of N rows.

    Attributes
    ----------
    table
        K rows with the copied columns and the new ones.
    rows
        Positions [K] in the block of the rows that are kept; ``None`` for all.
    read
        N.
    ids
        By feature, the number of ids and of those not in the vocabulary.
    """

    table: pa.Table
    rows: NDArray[np.intp] | None
    read: int
    ids: Mapping[str, IdCounts]


class Predictor:
    """An artifact in an engine, for rows in bulk. Calls may run in several threads, as many at once as ``streams``.

    It opens no file but the artifact's, and its arguments can be pickled, so that each worker of a cluster makes one.
    """

    def __init__(
        self, artifact: Artifact | str | Path, options: PredictOptions | None = None, *, streams: int = 1
    ) -> None:
        """Load the artifact, unless it is loaded, and the engine.

        Raises ``ArtifactError``, ``EngineError``, ``FusionError`` for an unknown fusion, ``InputError`` for a cascade
        without a student, and ``ValueError`` if a copied column would have the name of a new one.
        """
        self.options = options or PredictOptions()
        self.artifact = artifact if isinstance(artifact, Artifact) else load_artifact(Path(artifact))
        self._model = _model(self.artifact, self.options, streams)
        name, plan = self._model.plan(self.options.fusion)
        if not self.options.rules:
            plan = replace(plan, options=plan.options.model_copy(update={"rules": {}, "rerank": {}}))
        self._plan = plan
        self.list_by = list_columns(self.artifact.schema, self.options)
        self._inputs = self.artifact.encoder.list_inputs
        self._lists = RankedLists(self._model, name, plan, self.options) if self.options.rank_by else None
        self.columns = list(dict.fromkeys([*self.artifact.schema.input_columns(), *self.list_by]))
        self.engine = self._model.engine.name
        for column in self.options.copied:
            if column in self.new_schema.names:
                raise ValueError(f"keep: {column!r} is the name of a column that is computed; rename it in the data")

    @property
    def new_schema(self) -> pa.Schema:
        """Names and types of the computed columns."""
        fields = [(f"{SCORE}{task}", pa.float32()) for task in self._plan.objectives]
        if self._lists is not None:
            fields += [(FUSED, pa.float64()), (RANK, pa.int32())]
            fields += [(SCORED_BY, pa.string())] if self._lists.in_two_stages else []
        return pa.schema(fields)

    def schema(self, copied: Mapping[str, pa.DataType]) -> pa.Schema:
        """Schema of results, for the types of the copied columns."""
        return pa.schema([*((name, copied[name]) for name in self.options.copied), *self.new_schema])

    def __call__(self, table: pa.Table) -> pa.Table:
        """Score a table of whole lists. Raises ``DataError``."""
        chunk = self.chunk_of(table, "table")
        schema = self.schema(types_of(table))
        results = [self.predict(block, schema).table for block in self.blocks([chunk])]
        return pa.concat_tables([schema.empty_table(), *results])

    def blocks(self, chunks: Iterable[ArrowChunk], seen: SeenLists | None = None) -> Iterator[Block]:
        """Blocks of chunks: whole lists if rows are ranked or inputs need lists, else each chunk with rows."""
        if not self.list_by:
            return (Block([chunk]) for chunk in chunks if chunk.rows)
        return whole_lists(chunks, self.list_keys(), seen or SeenLists())

    def chunk_of(self, table: Any, source: str, number: int = 0) -> ArrowChunk:
        """An Arrow table or batch as a chunk. Raises ``DataError`` as :func:`chunk_of`."""
        with self.naming_lists():
            return chunk_of(table, self.columns, self.options.copied, source, number)

    @contextmanager
    def naming_lists(self) -> Iterator[None]:
        """Say why rows need lists in a ``DataError`` about a column that names them, unless rows are ranked."""
        try:
            yield
        except DataError as error:
            told = str(error)
            if self.options.rank_by or not any(f"no column {column!r}" in told for column in self.list_by):
                raise
            columns = ", ".join(self.list_by)
            raise DataError(
                f"{told}; the model compares the rows of a list, and {LIST_BY} names lists by {columns}: add what is "
                "missing, or name other columns with --rank-by"
            ) from None

    def list_keys(self) -> ListKeys:
        """Keys of the lists of rows."""
        return ListKeys(self.list_by, "--rank-by" if self.options.rank_by else LIST_BY)

    def predict(self, block: Block, schema: pa.Schema) -> Predicted:
        """Score a block with rows; results have this ``schema``, from :meth:`schema`.

        Raises ``DataError`` naming file, row, column and value.
        """
        packed, raw = self._encoded(block)
        layout = self.artifact.encoder.layout
        ids = {**id_counts(layout.context, packed.context_ids), **id_counts(layout.candidate, packed.candidate_ids)}
        if self._lists is None:
            scores, rows, new = self._scored(block, packed), None, {}
        else:
            ranked = self._lists.ranked(block, packed, raw)
            scores, rows, new = ranked.scores, ranked.rows, _columns_of(ranked)
        scores = scores.astype(np.float32, copy=False)
        columns = {f"{SCORE}{task}": scores[:, i] for i, task in enumerate(self._plan.objectives)} | new
        arrays = {name: _copied(block, name, schema.field(name).type, rows) for name in self.options.copied}
        arrays |= {field.name: pa.array(columns[field.name], field.type) for field in self.new_schema}
        return Predicted(pa.table(arrays, schema=schema), rows, block.rows, ids)

    def _encoded(self, block: Block) -> tuple[Packed, dict[str, NDArray[Any]]]:
        """Packed rows with a context row each, and raw values [N] of the features that the fusion reads."""
        encoder, schema = self.artifact.encoder, self.artifact.schema
        packed: list[Packed] = []
        raw: dict[str, list[NDArray[Any]]] = {name: [] for name in self._lists.features} if self._lists else {}
        for chunk in self._converted(block):
            with chunk.naming_rows():
                encoder.times.check(schema, chunk.columns, numbers=False)
                packed.append(encoder.encode(chunk.columns, chunk.columns))
                for name, parts in raw.items():
                    column: Column = chunk.columns[schema.column(name)]
                    parts.append(fusion_values(self.artifact, name, column))
        joined = Packed(*map(np.concatenate, zip(*packed, strict=True))) if len(packed) > 1 else packed[0]
        return joined, {name: np.concatenate(parts) for name, parts in raw.items()}

    def _converted(self, block: Block) -> Iterator[Chunk]:
        if self._inputs is None:
            return (part.converted() for part in block.chunks)
        return iter(with_inputs(block, self._inputs))

    def _scored(self, block: Block, packed: Packed) -> NDArray[np.floating]:
        """Scores [N, T] of rows with a context each."""
        scores = np.empty((len(packed.candidate_ids), len(self._plan.objectives)), dtype=np.float32)
        for start in range(0, len(scores), ROWS):
            rows = slice(start, start + ROWS)
            scores[rows] = self._model.engine.score(packed.taken(rows, rows))
        for row, tasks in self._model.not_finite(scores).items():
            raise not_finite(block, row, tasks)
        if not self.options.calibrate:
            return scores
        return self._plan.calibrated(Candidates.of(self._plan.objectives, scores)).scores


def list_columns(schema: Schema, options: PredictOptions) -> tuple[str, ...]:
    """Columns that name the list of a row: those to rank by, or of the inputs within lists; none without either."""
    if options.rank_by or schema.within_list is None:
        return options.rank_by
    return schema.within_list.list_columns


class _EveryRow:
    """An engine for rows with a context each; a single context is repeated for all candidates."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.name, self.precision, self.sizes = engine, engine.name, engine.precision, engine.sizes

    def score(self, packed: Packed) -> NDArray[np.float32]:
        """Score N candidates, with one context row or N."""
        rows = len(packed.candidate_ids)
        if len(packed.context_ids) != rows:
            packed = packed.taken(np.zeros(rows, dtype=np.intp), slice(None))
        return self._engine.score(packed)


def _model(artifact: Artifact, options: PredictOptions, streams: int) -> Model:
    """The artifact in an engine with one thread per stream, so that scores do not depend on the number of cores."""
    how = EngineOptions(threads=streams, streams=streams)
    if not options.rank_by:
        how = how._replace(context_rows=True, sizes=(ROWS,))
        return Model(artifact, _EveryRow(engine_of(options.engine, artifact.model_path, how)))
    student = None if options.cascade is False else student_engine(artifact, options.engine, how)
    return Model(artifact, engine_of(options.engine, artifact.model_path, sized(how, student)), student=student)


def _columns_of(ranked: RankedRows) -> dict[str, Any]:
    """The new columns of ranked rows; a row that a rule drops has no rank."""
    columns: dict[str, Any] = {FUSED: ranked.fused, RANK: np.ma.MaskedArray(ranked.rank, ranked.rank == DROPPED)}
    if ranked.by_student is not None:
        columns[SCORED_BY] = np.where(ranked.by_student, "student", "full")
    return columns


def _copied(block: Block, name: str, kind: pa.DataType, rows: NDArray[np.intp] | None) -> pa.ChunkedArray:
    """A column of the input as it is, in the type that it has in all files."""
    parts = []
    for part in block.chunks:
        array = part.kept[name]
        try:
            parts.append(array if array.type == kind else array.cast(kind))
        except pa.ArrowException as error:
            raise DataError(f"{part.source}, column {name!r}: {str(error).splitlines()[0]}") from None
    column = pa.chunked_array(parts, kind)
    return column if rows is None else column.take(pa.array(rows))


def chunk_of(table: Any, columns: Sequence[str], copied: Sequence[str], source: str, number: int = 0) -> ArrowChunk:
    """An Arrow table or batch as a chunk.

    Raises ``DataError`` for anything else, a missing column, and one that is there twice.
    """
    if not isinstance(table, pa.Table | pa.RecordBatch):
        raise DataError(f"{source}: must be an Arrow table or record batches, got {type(table).__name__}")
    names, held = table.schema.names, {}
    for column in dict.fromkeys([*columns, *copied]):
        if column not in names:
            listed = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
            raise DataError(f"{source} has no column {column!r}{suggestion(column, names)} (columns: {listed})")
        if names.count(column) > 1:
            raise DataError(f"{source} has the column {column!r} more than once; which one is meant?")
        values = table.column(column)
        held[column] = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    read, kept = {name: held[name] for name in columns}, {name: held[name] for name in copied}
    return ArrowChunk(source, number, number, table.num_rows, read, kept)


def types_of(table: Any) -> dict[str, pa.DataType]:
    """Types of a table's columns by name."""
    return dict(zip(table.schema.names, table.schema.types, strict=True))
