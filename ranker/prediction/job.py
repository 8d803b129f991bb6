"""Scores the files of a log into a folder of Parquet files; a killed job goes on where it was."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ranker.artifact import MANIFEST, Artifact
from ranker.artifact import load as load_artifact
from ranker.artifact_files import digest
from ranker.cluster.session import cluster_at
from ranker.cluster.shipped import Shipped
from ranker.cluster.versions import versions
from ranker.config.csv_options import CsvOptions
from ranker.cpus import cores
from ranker.encoding.unseen import IdCounts
from ranker.log_files.csv_types import merged, of_kind, schema_kinds
from ranker.log_files.lists import SeenLists, starts_of
from ranker.log_files.log_reader import Log
from ranker.prediction.on_ray import Job, Source, scored_files
from ranker.prediction.options import PredictOptions
from ranker.prediction.output import IdsByFeature, OutputError, OutputFolder, added
from ranker.prediction.pieces import cut
from ranker.prediction.pipeline import in_order
from ranker.prediction.predictor import Predicted, Predictor, list_columns
from ranker.remote_files import fits
from ranker.urls import is_remote, normal, scheme_of

if TYPE_CHECKING:
    from ranker.prediction.remote_output import RemoteOutput

BLOCK = 16_384
"""Most rows that one thread encodes and scores at a time; lists may make a block longer."""
ROWS_PER_FILE = 1_000_000


@dataclass(frozen=True)
class Summary:
    """Result of a job.

    Attributes
    ----------
    folder
        The output: a path, or the URL of a folder in a store.
    read, rows, files
        Rows read, and rows and files written.
    ids
        By feature, the number of ids in the data, and of those that the model has not seen in training.
    resumed
        Rows read that an earlier start had written.
    """

    folder: Path | str
    read: int
    rows: int
    files: int
    ids: IdsByFeature
    resumed: int = 0

    @classmethod
    def told(cls, folder: str, facts: Mapping[str, Any]) -> "Summary":
        """The summary of complete results, from their file."""
        ids = {name: IdCounts(**counts) for name, counts in facts["ids"].items()}
        return cls(folder, facts["rows_read"], facts["rows_written"], facts["files"], ids, facts["rows_read"])


def predict_files(
    artifact: str | Path,
    data: Sequence[str | Path],
    output: str | Path,
    options: PredictOptions | None = None,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    threads: int = 0,
    restart: bool = False,
    ray: str | None = None,
    note: Callable[[str], None] = lambda _: None,
    expect: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Score Parquet and CSV files into Parquet files.

    Parameters
    ----------
    artifact
        An artifact, or a folder of versions.
    data
        Files, folders and globs.
    output
        A new or empty folder, or one in which this job was stopped; or the URL of one, to which the results are
        copied when they are complete.
    options
        What to compute, and which columns to copy.
    rows_per_file
        Input rows after which a file ends, at the end of a block and of a list.
    threads
        Threads that encode and score; 0 for one per core. Results do not depend on it.
    restart
        Whether to remove the results of another job in ``output``.
    ray
        Address of a Ray cluster whose processors score, or ``local`` to start Ray on this machine; results do not
        depend on it. ``threads`` has no meaning then.
    note, expect, progress
        Called with a message, with the number of rows if it is known, and with the rows since the last call.

    Raises
    ------
    DataError
        If the data cannot be used; the message names file, row, column and value.
    OutputError
        If the folder is a URL, belongs to another job, lies within the data, or cannot be written.
    ArtifactError, EngineError, FusionError
        As :class:`Predictor`.
    ClusterError
        If the cluster cannot be used, or fails.
    """
    if rows_per_file < 1:
        raise ValueError(f"rows_per_file: must be at least 1, got {rows_per_file}")
    threads, options = threads or cores(), options or PredictOptions()
    loaded = load_artifact(Path(artifact))
    remote = _remote(output, data)
    if remote is None:
        _require_apart(Path(output), data)
    log = _log(loaded, data, options)
    for text in log.notes:
        note(text)
    copied = {name: log.arrow_type(name) for name in options.copied}
    predictor = Predictor(loaded, options, streams=threads if ray is None else 1)
    plan = _plan(loaded, log, replace(options, engine=predictor.engine), rows_per_file)
    if remote is not None and (told := remote.summary(plan, restart)) is not None:
        note(f"{remote}: is complete already")
        return Summary.told(str(remote), told)
    with OutputFolder(Path(output) if remote is None else remote.folder, plan, restart=restart).opened() as folder:
        if folder.complete:
            note(f"{folder.folder}: is complete already")
            return _copied(remote, _summary(folder, folder.parts[-1].end))
        start = folder.parts[-1].end if folder.parts else 0
        expect(len(log))
        if start:
            note(f"{folder.folder}: goes on after {len(folder.parts)} complete file(s), {start:,} rows")
            progress(start)
        most, schema = min(BLOCK, rows_per_file), predictor.schema(copied)
        with predictor.naming_lists(), ExitStack() as stack:
            seen = _seen(log, predictor, start)
            if ray is None:
                results = _in_threads(log, predictor, seen, schema, start, most, threads)
            else:
                cluster = stack.enter_context(cluster_at(ray))
                job = Job(
                    Shipped.of(loaded, cluster),
                    replace(options, engine=predictor.engine),
                    schema,
                    versions(predictor.engine),
                )
                results = scored_files(cluster, job, Source.of(log, predictor, start, most), seen)
            _write(folder, results, schema, rows_per_file, progress)
        summary = _summary(folder, start)
        folder.finish(_facts(summary, loaded))
        return _copied(remote, summary)


def _remote(output: str | Path, data: Sequence[str | Path]) -> "RemoteOutput | None":
    """The results' place in a store; ``None`` for a local one. Raises ``OutputError``."""
    if scheme_of(output) is None or Path(output).exists():
        return None
    if not is_remote(output):
        raise OutputError(f"{normal(output)}: name the path of a local folder, or a URL such as s3://bucket/scores")
    here = tuple(normal(output).partition("?")[0].rstrip("/").split("/"))
    for source in (normal(path).partition("?")[0].rstrip("/") for path in data if is_remote(path)):
        if any(fits(here[:depth], tuple(source.split("/"))) for depth in range(1, len(here) + 1)):
            raise OutputError(f"{normal(output)}: lies in {source}, which is read as data; name a folder outside of it")
    from ranker.prediction.remote_output import RemoteOutput

    return RemoteOutput(output)


def _copied(remote: "RemoteOutput | None", summary: Summary) -> Summary:
    """Copy complete results to the store, if they belong there."""
    if remote is None:
        return summary
    remote.copy()
    return replace(summary, folder=str(remote))


def _require_apart(output: Path, data: Sequence[str | Path]) -> None:
    """Raise ``OutputError`` for an output within a folder of the data, where a later start would read it."""
    here = output.resolve()
    for source in map(Path, data):
        folder, pattern = source.resolve(), Path(os.path.abspath(source)).parts
        paths = (here / "part-00000.parquet", here, *here.parents)
        matched = not source.exists() and any(fits(path.parts, pattern) for path in paths)
        if matched or (source.is_dir() and here.is_relative_to(folder)):
            raise OutputError(f"{output}: lies in {source}, which is read as data; name a folder outside of it")


def _log(artifact: Artifact, data: Sequence[str | Path], options: PredictOptions) -> Log:
    """The files, with the types of text columns that the artifact was trained on."""
    list_by = list_columns(artifact.schema, options)
    columns = {*artifact.schema.input_columns(), *list_by}
    kinds = merged(schema_kinds(artifact.schema, artifact.encoder), of_kind("id", list_by))
    csv = artifact.manifest.experiment.get("data", {}).get("csv") or {}
    kinds = {column: kind for column, kind in kinds.items() if column in columns}
    return Log(data, kinds, CsvOptions.model_validate(csv))


def _plan(artifact: Artifact, log: Log, options: PredictOptions, rows_per_file: int) -> dict[str, Any]:
    """All that results depend on; what another plan differs in is named by these keys."""
    return {
        "artifact": {"version": artifact.manifest.version, "manifest": digest(artifact.folder / MANIFEST)},
        "data": log.fingerprint(),
        "options": {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in asdict(options).items()},
            "rows_per_file": rows_per_file,
        },
        "software": versions(options.engine),
    }


def _seen(log: Log, predictor: Predictor, end: int) -> SeenLists:
    """The lists of rows that are written already."""
    seen = SeenLists()
    if not predictor.list_by or not end:
        return seen
    keys = predictor.list_keys()
    last = None
    for chunk in log.arrow_chunks(keys.columns):
        if chunk.number >= end:
            break
        found = keys.of(chunk.rows_from(0, min(chunk.rows, end - chunk.number)))
        starts = starts_of(found)
        seen.add(found[starts[1:] if last is not None and found[0] == last else starts])
        last = found[-1]
    return seen


def _in_threads(
    log: Log, predictor: Predictor, seen: SeenLists, schema: pa.Schema, start: int, most: int, threads: int
) -> Iterator[Predicted]:
    """Results of all blocks in order, from threads of this process."""
    chunks = log.arrow_chunks(predictor.columns, keep=predictor.options.copied, skip=start)
    blocks = predictor.blocks(cut(chunks, start, most), seen)
    return in_order(partial(predictor.predict, schema=schema), blocks, threads)


def _write(
    folder: OutputFolder,
    results: Iterator[Predicted],
    schema: pa.Schema,
    rows_per_file: int,
    progress: Callable[[int], None],
) -> None:
    """Write the results of all blocks; without any row, one file without rows."""
    result = next(results, None)
    while result is not None or not folder.parts:
        first = end = folder.parts[-1].end if folder.parts else 0
        with folder.part(schema) as part:
            while result is not None:
                end += result.read
                part.write(result.table, end, result.ids)
                progress(result.read)
                result = next(results, None)
                if end - first >= rows_per_file:
                    break


def _summary(folder: OutputFolder, resumed: int) -> Summary:
    ids: IdsByFeature = {}
    for part in folder.parts:
        ids = added(ids, part.ids)
    rows = sum(part.rows for part in folder.parts)
    return Summary(folder.folder, folder.parts[-1].end, rows, len(folder.parts), ids, resumed)


def _facts(summary: Summary, artifact: Artifact) -> dict[str, Any]:
    return {
        "artifact_version": artifact.manifest.version,
        "rows_read": summary.read,
        "rows_written": summary.rows,
        "files": summary.files,
        "ids": {name: counts._asdict() for name, counts in summary.ids.items()},
    }
