"""Checksums of an artifact's files, computed on all cores, and which files a service has verified already."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ranker.file_locks import locked
from ranker.files import replace_file

CHUNK = 1 << 26
"""Bytes of a chunk of a large file; each has a checksum of its own, so that several cores share the work."""
BLOCK = 1 << 20
"""Bytes read at a time."""
TABLES, TABLE_FACTS = ".tables", "tables.json"
"""Suffix of the folder of tables beside an ONNX file, and the file in it that lists them."""
LARGE = 1 << 20
"""Bytes from which a file is verified once per service; smaller ones by every process."""

MANIFEST = "manifest.json"
NUMBER = re.compile(r"[1-9][0-9]*")
"""Name of a version's folder."""


class FileError(ValueError):
    """A file that is missing or differs from what was exported; the message says which."""


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def chunk_digests(file: Path) -> tuple[str, ...]:
    """SHA-256 of each chunk of a large file; empty for one of at most one chunk."""
    size = file.stat().st_size
    return tuple(_map([_Part(file, start, CHUNK) for start in range(0, size, CHUNK)])) if size > CHUNK else ()


class Verified:
    """Large files that a process of this service has verified, with the stamps that they had.

    The stamp of a file changes with its content: size, times of modification and of change, inode and device. With
    ``record=None`` nothing is remembered.
    """

    def __init__(self, record: Path | None = None) -> None:
        self._record = record

    def forget(self) -> None:
        """Verify everything again from now on."""
        if self._record is not None:
            self._record.unlink(missing_ok=True)

    def known(self) -> dict[str, Any]:
        """Checksum and stamp by absolute path."""
        try:
            content = orjson.loads(self._record.read_bytes()) if self._record is not None else {}
        except (OSError, orjson.JSONDecodeError):
            return {}
        return content if isinstance(content, dict) else {}

    def add(self, found: Mapping[str, Any]) -> None:
        """Remember checksums and stamps. Raises ``OSError`` if they cannot be written."""
        if self._record is not None and found:
            with locked(self._record.with_suffix(".lock"), required=False):
                kept = {path: fact for path, fact in self.known().items() if Path(path).is_file()}
                replace_file(self._record, orjson.dumps({**kept, **found}))


def verify(
    folder: Path, files: Mapping[str, str], chunks: Mapping[str, Sequence[str]], verified: Verified | None = None
) -> None:
    """Raise ``FileError`` unless ``folder`` has these files: SHA-256 by path, and that of each chunk of large ones."""
    verified = verified or Verified()
    known, fresh = verified.known(), {}
    parts: list[tuple[_Part, str]] = []
    for name, checksum in files.items():
        file = folder / name
        if not file.is_file():
            raise FileError(f"{file}: is missing; the manifest lists it")
        facts = file.stat()
        fact = [checksum, *_stamp(facts)]
        if facts.st_size >= LARGE:
            if known.get(str(file.absolute())) == fact:
                continue
            fresh[str(file.absolute())] = fact
        pieces = chunks.get(name)
        if pieces is None:
            parts.append((_Part(file, 0, None), checksum))
        elif len(pieces) != -(-facts.st_size // CHUNK):
            raise FileError(_differs(file, checksum))
        else:
            parts += [(_Part(file, i * CHUNK, CHUNK), piece) for i, piece in enumerate(pieces)]
    for (part, right), found in zip(parts, _map([part for part, _ in parts]), strict=True):
        if found != right:
            raise FileError(_differs(part.file, files[part.file.relative_to(folder).as_posix()]))
    verified.add({path: fact for path, fact in fresh.items() if fact[1:] == _stamp(Path(path).stat())})


class _Part(NamedTuple):
    """Bytes of a file: ``length`` from ``start``, or all that follow."""

    file: Path
    start: int
    length: int | None

    def digest(self) -> str:
        hashed, left, block = hashlib.sha256(), self.length, bytearray(BLOCK)
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(self.start)
            while left is None or left > 0:
                view = memoryview(block) if left is None else memoryview(block)[: min(left, BLOCK)]
                read = stream.readinto(view)
                if not read:
                    break
                hashed.update(view[:read])
                left = None if left is None else left - read
        return hashed.hexdigest()


def _map(parts: list[_Part]) -> list[str]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(_Part.digest, parts))


def _stamp(facts: os.stat_result) -> list[int]:
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev]


def _differs(file: Path, checksum: str) -> str:
    return f"{file}: differs from what was exported (SHA-256 {checksum} in the manifest)"
