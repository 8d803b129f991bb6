"""The output folder of a prediction: files that appear when they are whole, and what a later start goes on from.

::

    scores/
      _plan.json           artifact, input files and options; another plan is refused
      part-00000.parquet   results in input order; the metadata says for which rows of the input
      part-00001.parquet
      _summary.json        rows, files and unseen ids
      _SUCCESS             empty, written last
"""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.encoding.unseen import IdCounts
from ranker.file_locks import lock
from ranker.files import replace_file, replacing

PLAN, SUMMARY, SUCCESS = "_plan.json", "_summary.json", "_SUCCESS"
PARTS = "part-*.parquet"
UNFINISHED = (f".{PLAN}.", f".{SUMMARY}.", f".{SUCCESS}.", ".part-")
"""Starts of the names of files that killed jobs have left; see :func:`ranker.files.replacing`."""
METADATA = b"ranker.predict"
GROUP_ROWS = 131_072
"""Fewest rows of a row group, except for the last of a file."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
IdsByFeature = dict[str, IdCounts]


class OutputError(ValueError):
    """An output folder that cannot be written to; the message says why and what to do."""


class Part(NamedTuple):
    """A complete file: the input row after its last, its own rows, and counts of ids by feature."""

    end: int
    rows: int
    ids: IdsByFeature


class OutputFolder:
    """A folder of results, locked while it is open; ``parts`` are its complete files."""

    def __init__(self, folder: Path, plan: Mapping[str, Any], *, restart: bool = False) -> None:
        """Raise ``OutputError`` for a folder of another plan, unless ``restart`` removes its results."""
        self.folder, self._plan = folder, dict(plan)
        self._digest = sha256(orjson.dumps(self._plan, option=orjson.OPT_SORT_KEYS)).hexdigest()
        self.parts: list[Part] = []
        self._restart = restart

    @contextmanager
    def opened(self) -> Iterator["OutputFolder"]:
        """Create the folder or read what is in it, and keep other processes out. Raises ``OutputError``."""
        with self.naming_disk():
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            with self.naming_disk():
                if not self._lock(descriptor):
                    raise OutputError(f"{self.folder}: another prediction is writing to it")
                if self._restart:
                    self._clear()
                self._begin()
            yield self
        finally:
            os.close(descriptor)

    @property
    def complete(self) -> bool:
        """Whether all input is in its files."""
        return (self.folder / SUCCESS).exists()

    @contextmanager
    def part(self, schema: pa.Schema) -> Iterator["PartWriter"]:
        """Write the next file; it appears if the block ends without an error. Raises ``OutputError``."""
        path = self.folder / f"part-{len(self.parts):05d}.parquet"
        writer = None
        with self.naming_disk(), replacing(path) as partial:
            try:
                writer = PartWriter(partial, schema)
                yield writer
                part = writer.finish(self._digest)
                _to_disk(partial)  # else a file with its name but without its content may be left by a power failure
            except BaseException:
                if writer is not None:
                    writer.abandon()
                raise
        self.parts.append(part)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, and then the marker of a complete folder."""
        with self.naming_disk():
            replace_file(self.folder / SUMMARY, json.dumps(summary, indent=2).encode() + b"\n")
            with suppress(OSError):  # some file systems cannot sync a folder
                _to_disk(self.folder)
            replace_file(self.folder / SUCCESS, b"")

    def summary(self) -> dict[str, Any]:
        """The summary of a complete folder."""
        found: dict[str, Any] = json.loads((self.folder / SUMMARY).read_text("utf-8"))
        return found

    @contextmanager
    def naming_disk(self) -> Iterator[None]:
        """Turn errors of the system into an ``OutputError``."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise OutputError(
                    f"{self.folder}: the disk is full; its {len(self.parts)} complete file(s) stay: free some space "
                    "and run the same command again to go on after them"
                ) from None
            reason = error.strerror or str(error).splitlines()[0]
            raise OutputError(f"{self.folder}: cannot be written: {reason}") from None

    def _begin(self) -> None:
        file = self.folder / PLAN
        if not file.exists():
            others = sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(UNFINISHED))
            if others:
                raise OutputError(
                    f"{self.folder}: holds {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}, which no "
                    "prediction wrote; name a new or empty folder"
                )
            replace_file(file, json.dumps(self._plan, indent=2).encode() + b"\n")
            return
        try:
            stored = json.loads(file.read_bytes())
        except ValueError:
            stored = {}
        changed = differences(stored, self._plan)
        if changed:
            raise OutputError(
                f"{self.folder}: holds results of a job that differs in {', '.join(changed)}; name another folder, or "
                "replace the results with --restart"
            )
        self.parts = [self._read(path) for path in self._in_order()]
        if self.complete and self._files_of_summary() != len(self.parts):
            (self.folder / SUCCESS).unlink()  # a file was removed

    def _files_of_summary(self) -> int | None:
        """Number of files that the summary has; ``None`` if it cannot be read."""
        try:
            files: int = self.summary()["files"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return files

    def _in_order(self) -> list[Path]:
        """The files up to the first that is missing."""
        found = set(self.folder.glob(PARTS))
        paths = (self.folder / f"part-{number:05d}.parquet" for number in range(len(found)))
        return [path for path in paths if path in found]

    def _read(self, path: Path) -> Part:
        try:
            metadata = pq.read_metadata(path)
            facts = json.loads((metadata.metadata or {})[METADATA])
            if facts["plan"] != self._digest:
                raise KeyError("plan")
        except (pa.ArrowException, OSError, KeyError, ValueError):
            raise OutputError(f"{path}: is not a file of this prediction; replace the results with --restart") from None
        ids = {name: IdCounts(*counts) for name, counts in facts["ids"].items()}
        return Part(facts["end"], metadata.num_rows, ids)

    def _clear(self) -> None:
        """Remove the results of a prediction; other files stay, and are refused afterwards."""
        if (self.folder / PLAN).exists():
            unfinished = [path for path in self.folder.iterdir() if path.name.startswith(UNFINISHED)]
            whole = [self.folder / SUCCESS, *self.folder.glob(PARTS), self.folder / SUMMARY]
            for path in [*whole, *unfinished, self.folder / PLAN]:
                path.unlink(missing_ok=True)

    def _lock(self, descriptor: int) -> bool:
        try:
            return lock(descriptor, wait=False)
        except OSError:
            return True  # the file system has no locks


class PartWriter:
    """Writes one file in row groups whose sizes depend only on the tables."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema, self._waiting, self._waiting_rows = schema, [schema.empty_table()], 0
        self.end, self.rows, self._ids = 0, 0, IdsByFeature()
        computed = {"score_", "fused"}
        repeating = [name for name in schema.names if not any(name.startswith(start) for start in computed)]
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating)

    def write(self, table: pa.Table, end: int, ids: Mapping[str, IdCounts]) -> None:
        """Add results of the input up to row ``end``."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.end, self.rows = end, self.rows + table.num_rows
        self._ids = added(self._ids, ids)
        if self._waiting_rows >= GROUP_ROWS:
            self._flush()

    def finish(self, plan: str) -> Part:
        """Write the rest and close the file."""
        self._flush()
        facts = {"plan": plan, "end": self.end, "ids": {name: list(counts) for name, counts in self._ids.items()}}
        self._writer.add_key_value_metadata({METADATA: orjson.dumps(facts)})
        self._writer.close()
        return Part(self.end, self.rows, self._ids)

    def abandon(self) -> None:
        """Close the file without its end."""
        try:
            self._writer.close()
        except (OSError, pa.ArrowException):
            return  # the error that led here is the one to report

    def _flush(self) -> None:
        if self._waiting_rows:
            self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks(), row_group_size=1 << 30)
        self._waiting, self._waiting_rows = [], 0


def _to_disk(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def differences(stored: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """What differs: keys of the plan, or the names of options."""
    keys = [key for key in plan if stored.get(key) != plan[key]]
    if "options" not in keys or not isinstance(stored.get("options"), dict):
        return keys
    options, before = plan["options"], stored["options"]
    return [*(key for key in keys if key != "options"), *(k for k in options if before.get(k) != options[k])]


def added(ids: Mapping[str, IdCounts], more: Mapping[str, IdCounts]) -> IdsByFeature:
    """Counts by feature of both."""
    return {name: counts.plus(ids.get(name, IdCounts(0, 0))) for name, counts in more.items()} or dict(ids)
