"""Exports a trained model as an artifact with SavedModel and ONNX, verified against Keras."""

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from ranker.artifact import (
    MODEL,
    SAVED_MODEL,
    TOLERANCE,
    Artifact,
    Chain,
    Golden,
    Refit,
    difference,
    load,
    new_version,
    seal,
    to_json,
    write_parts,
)
from ranker.encoding import Column, Encoder
from ranker.engines.row_tables import write_agreement
from ranker.fusion import Plan
from ranker.inference.agreement import Agreement
from ranker.inference.sample import write_sample
from ranker.log_files.log_reader import Chunk
from ranker.metrics import spread
from ranker.model import INPUTS, RankingModel, read_inputs, served
from training.config.experiment import Experiment
from training.data.batches import Batch
from training.data.dropped_rows import Rows
from training.data.encode import columns_of, taken
from training.data.trained_on import TrainedOn
from training.disk_full import disk_full_as
from training.evaluation.evaluate import Scorer
from training.evaluation.onnx_scorer import onnx_scorer
from training.export.onnx import to_onnx
from training.export.report_data import ReportData, write
from training.export.tables import DEFAULT, TableOptions, beside, rounded, write_tables

GOLDEN_REQUESTS = 3
GOLDEN_CANDIDATES = 20
GOLDEN_ROWS = GOLDEN_REQUESTS * GOLDEN_CANDIDATES
SAMPLE_CONTEXTS, SAMPLE_CANDIDATES = 8, 500
"""The sample's contexts, each with the same candidates: lists as long as a service ranks."""
PACKAGES = ("ranker", "tensorflow", "tf-keras", "tensorflow-recommenders", "tf2onnx", "onnx", "numpy")


class ExportError(RuntimeError):
    """The exported graph's scores differ from the model's."""


def export(
    root: Path,
    experiment: Experiment,
    encoder: Encoder,
    model: RankingModel,
    fusions: Mapping[str, Plan],
    metrics: Mapping[str, Any],
    examples: Chunk,
    scores: NDArray[np.float32],
    gates: Mapping[str, Any] | None = None,
    report_data: ReportData | None = None,
    seen: TrainedOn | None = None,
    tables: TableOptions = DEFAULT,
    compare: Callable[[Scorer], Agreement] | None = None,
    keep: Callable[[Path], Chain | None] | None = None,
    refit: Refit | None = None,
) -> Artifact:
    """Write the next numbered version under ``root``, with fitted fusions.

    ``examples`` are raw rows for golden requests and for the sample of requests, ``scores`` the validation scores
    [N, T], ``report_data`` the content of reports, ``seen`` the data the model was trained on, ``tables`` where large
    embedding tables are kept.
    ``compare`` measures how the scores by rounded rows agree with the model's on validation rows; it is required for a
    precision that rounds them. ``keep`` writes what a later fit needs into the artifact's folder, and returns the fits
    that led to it. ``refit`` describes the training of the model on all rows, if it is not the one of the metrics.

    Raises ``ExportError`` if ONNX and Keras differ by more than 1e-5 and for rounded rows below the bound,
    ``ValueError`` for options that do not fit the tables, and ``DiskFullError``; no version is then left.
    """
    full = f"{root}: no space left on the disk for the export; the run is kept: make room and run this again"
    regions = beside(model, tables)
    with disk_full_as(full), new_version(root) as folder:
        with TemporaryDirectory(dir=folder) as exact, rounded(model, regions, tables.precision, Path(exact)):
            function = served(model)
            _save(model, function, folder / SAVED_MODEL)
            onnx.save_model(to_onnx(model, [region.feature for region in regions]), str(folder / MODEL))
            write_tables(model, regions, tables.precision, folder / MODEL)
            score = _scorer(model, function)
            golden = _golden(experiment, encoder, score, examples)
            _verify(model, score, folder / MODEL, encoder, golden)
            _write_sample(folder, experiment, encoder, score, examples)
        if tables.rounds:
            assert compare is not None, "rounded rows are compared with the exact ones"
            accept(folder / MODEL, compare(onnx_scorer(folder / MODEL)), tables)
        spreads = {task: spread(scores[:, i]) for i, task in enumerate(experiment.log_schema.tasks)}
        write_parts(folder, encoder, fusions, golden, spreads)
        if report_data is not None:
            write(folder, report_data)
        chain = keep(folder) if keep is not None else None
        manifest = seal(
            folder,
            root,
            {
                "created": datetime.now(UTC),
                "tasks": list(experiment.log_schema.tasks),
                "schema": experiment.log_schema.model_dump(mode="json"),
                "metrics": metrics,
                "gates": gates or {},
                "experiment": experiment.model_dump(mode="json", by_alias=True),
                "trained_on": seen.model_dump(mode="json", exclude_none=True) if seen else {},
                "chain": chain,
                "refit": refit,
                "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
            },
        )
    return load(root / str(manifest.version))


def examples_of(split: Rows, experiment: Experiment) -> Chunk:
    """The first raw validation rows, for golden requests, and others evenly spaced over their chunk, for the sample."""
    for chunk, mask in split.validation(columns_of(experiment.log_schema, [])):
        if mask.any():
            rows = np.flatnonzero(mask)
            chosen = np.zeros(chunk.rows, dtype=bool)
            chosen[rows[:GOLDEN_ROWS]] = True
            chosen[_spaced(rows, SAMPLE_CANDIDATES)] = True
            return Chunk(chunk.source, chunk.first, chunk.number, int(chosen.sum()), taken(chunk.columns, chosen))
    raise ValueError("no validation rows to make golden requests of")


def _spaced(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most ``count`` of the rows, evenly spaced."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows)), dtype=np.intp))]


def _save(model: RankingModel, function: Any, folder: Path) -> None:
    module = tf.Module()
    beside = {variable.ref() for variable in (model.position.variables if model.position is not None else ())}
    # Captured variables must be reachable from the module to be saved.
    module.kept = [variable for variable in model.variables if variable.ref() not in beside]
    module.score = function
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it logs the path of a temporary folder
    try:
        # servers write parts of it, in working directories of their own
        tf.saved_model.save(module, str(folder.resolve()), signatures=function)
    finally:
        logger.setLevel(level)


def _scorer(model: RankingModel, function: Any) -> Scorer:
    """The function to export, which is compiled, as a function of packed arrays."""
    return lambda batch: function(read_inputs(model, batch))["scores"].numpy()


def _golden(experiment: Experiment, encoder: Encoder, score: Scorer, examples: Chunk) -> tuple[Golden, ...]:
    contexts, columns = _sides(experiment, examples)
    rows = min(examples.rows, GOLDEN_ROWS)
    size = -(-rows // GOLDEN_REQUESTS)
    requests = []
    for start in range(0, rows, size):
        context = {name: values[start] for name, values in contexts.items()}
        candidates = {name: values[start : min(start + size, rows)] for name, values in columns.items()}
        scores = _scores(experiment, encoder, score, context, candidates)
        by_task = {task: values.tolist() for task, values in scores.items()}
        requests.append(Golden(context=context, candidates=candidates, scores=by_task))
    return tuple(requests)


def _write_sample(folder: Path, experiment: Experiment, encoder: Encoder, score: Scorer, examples: Chunk) -> None:
    """Write requests of evenly spaced contexts, each with all candidates of the examples, and the model's scores."""
    contexts, columns = _sides(experiment, examples)
    rows = np.arange(examples.rows)
    places = _spaced(rows, SAMPLE_CONTEXTS).tolist()
    chosen = _spaced(rows, SAMPLE_CANDIDATES).tolist()
    candidates = {name: [values[row] for row in chosen] for name, values in columns.items()}
    requests = [{name: values[place] for name, values in contexts.items()} for place in places]
    scores = [_scores(experiment, encoder, score, one, candidates) for one in requests]
    write_sample(folder, requests, candidates, scores)


def _sides(experiment: Experiment, examples: Chunk) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Columns of the contexts and of the candidates, as JSON values."""
    schema = experiment.log_schema
    context, candidate = (
        {schema.column(name): to_json(examples.columns[schema.column(name)]) for name in features}
        for features in (schema.context, schema.candidate)
    )
    return context, candidate


def _scores(
    experiment: Experiment,
    encoder: Encoder,
    score: Scorer,
    context: Mapping[str, Any],
    candidates: Mapping[str, list[Any]],
) -> dict[str, NDArray[np.float32]]:
    """The model's scores [N] of a request by task."""
    scores = score(_request_inputs(encoder, context, candidates))
    return dict(zip(experiment.log_schema.tasks, np.ascontiguousarray(scores.T), strict=True))


def _request_inputs(encoder: Encoder, context: Mapping[str, Any], candidates: Mapping[str, Column]) -> Batch:
    packed = encoder.encode_request({name: [value] for name, value in context.items()}, candidates)
    return {name: array for name, array in zip(INPUTS, packed, strict=True) if array.shape[1]}


def _verify(model: RankingModel, exact: Scorer, path: Path, encoder: Encoder, golden: tuple[Golden, ...]) -> None:
    """Compare ONNX Runtime with Keras on golden requests and random inputs, with one and with many context rows."""
    score = onnx_scorer(path)
    batches = [_request_inputs(encoder, request.context, request.candidates) for request in golden]
    random = np.random.default_rng(0)
    for context_rows in (1, 64):
        batches.append(_random_inputs(model, random, context_rows, 64))
    for batch in batches:
        worst = difference(score(batch), exact(batch))
        if not worst <= TOLERANCE:
            raise ExportError(f"ONNX and Keras differ by {worst:.2e}, more than {TOLERANCE:.0e}: not exported")


def accept(path: Path, found: Agreement, tables: TableOptions) -> None:
    """Record the agreement of rounded rows. Raises ``ExportError`` below the bound."""
    if not found.ndcg >= tables.min_ndcg:
        raise ExportError(
            f"table_precision: {tables.precision} changes rankings too much: {found}; the bound of NDCG@10 is "
            f"{tables.min_ndcg}: not exported"
        )
    write_agreement(path, found.facts())


def _random_inputs(model: RankingModel, random: np.random.Generator, contexts: int, candidates: int) -> Batch:
    arrays: Batch = {}
    for side, layout in model.embedding.layout.sides():
        rows = contexts if side == "context" else candidates
        if layout.ids:
            arrays[f"{side}_ids"] = random.integers(0, 2, (rows, layout.id_width)).astype(np.int32)
        if layout.numbers:
            arrays[f"{side}_numbers"] = random.normal(size=(rows, layout.number_width)).astype(np.float32)
    return arrays
