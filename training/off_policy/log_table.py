"""Reads the rows of an exposure log that one version of a model ranked."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, RAW, REQUEST, ROW, SCORE
from ranker.exposures.files import ExposureFile, exposure_files, open_files
from ranker.exposures.reading import ExposureError, read_file
from ranker.log_files.errors import DataError
from ranker.registry import alternatives
from ranker.schema import Schema


def table_of(
    directory: Path, schema: Schema, version: int, labels: Sequence[str], model: str | None
) -> tuple[Any, Any]:
    """The rows of one model's version, and the ids of the requests of its other versions, as Arrow text.

    Text is decoded. Columns that only some files have are null in the others. Raises ``DataError`` if a file cannot be
    read or lacks a column, for several models of which none is named, and if the version ranked no request.
    """
    columns = [*REQUEST, ITEM, *ROW, *(f"{prefix}{task}" for prefix in (SCORE, RAW) for task in schema.tasks)]
    columns += [prefix + column for prefix in (CONTEXT, CANDIDATE) for column in schema.input_columns()]
    tables: list[Any] = []
    models: set[Any] = set()
    others: list[Any] = []
    lacking = ""
    for file, table in _read(directory, list(dict.fromkeys([*columns, *labels]))):
        if problem := _lacking(table, ["request_id", "model", "version", "place"], file):
            raise DataError(problem)
        models |= set(pc.unique(table.column("model")).to_pylist())
        if model is not None:
            table = table.filter(pc.equal(table.column("model").cast(pa.string()), model))
        own = pc.equal(table.column("version"), version)
        begins = pc.and_(pc.invert(own), pc.equal(table.column("place"), 1))
        others += table.column("request_id").filter(begins).cast(pa.string()).chunks
        table = table.filter(own)
        if not table.num_rows:
            continue
        lacking = lacking or _lacking(table, [*REQUEST, *ROW, ITEM, *labels], file, labels)
        tables.append(_plain(table))
    if model is not None and model not in models:
        raise DataError(f"--model {model}: the log has no such model{alternatives(model, sorted(map(str, models)))}")
    if model is None and len(models) > 1:
        raise DataError(f"{directory}: has several models; name one of {', '.join(sorted(map(str, models)))} (--model)")
    if lacking:
        raise DataError(lacking)
    if not tables:
        raise DataError(f"{directory}: none of its {sum(map(len, others)):,} requests was ranked by version {version}")
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks(), pa.chunked_array(
            others, pa.string()
        )
    except pa.ArrowException as error:
        raise DataError(f"{directory}: its files have columns of different types: {error}") from None


def _read(directory: Path, columns: Sequence[str]) -> Iterator[tuple[ExposureFile, Any]]:
    """Yield tables of the finished files. Raises ``DataError`` if there are none, or one cannot be read."""
    if not directory.is_dir():
        raise DataError(f"--exposures {directory}: there is no such folder")
    files = exposure_files(directory)
    if not files:
        living = len(open_files(directory))
        hint = f"; {living} are still written: they are finished when the service ends or rolls them" if living else ""
        raise DataError(f"{directory}: has no finished files of an exposure log{hint}")
    for file in files:
        try:
            for table in read_file(file.path, columns):
                yield file, table
        except FileNotFoundError:
            raise DataError(f"{file.path}: was deleted while the log was read; run it again") from None
        except ExposureError as error:
            raise DataError(str(error)) from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{file.path}: cannot be read: {error}") from None


def _lacking(table: Any, names: Sequence[str], file: ExposureFile, labels: Sequence[str] = ()) -> str:
    """Message about the first column that a file lacks; empty if it has all."""
    name = next((name for name in names if name not in table.column_names), None)
    return "" if name is None else f"{file.path}: lacks the column {name!r}{_hint(name, labels)}"


def _plain(table: Any) -> Any:
    """A table with dictionaries decoded."""
    plain = {}
    for field in table.schema:
        column = table.column(field.name)
        plain[field.name] = column.cast(field.type.value_type) if pa.types.is_dictionary(field.type) else column
    return pa.table(plain)


def _hint(name: str, labels: Sequence[str]) -> str:
    return "; name the log that `ranker-train join` has written with --labels" if name in labels else ""
