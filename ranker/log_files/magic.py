"""Detects file formats by their first bytes, to report misnamed files."""

from pathlib import Path
from typing import NamedTuple

from ranker.log_files.errors import DataError
from ranker.remote_files import Location

START = 64
"""Bytes needed to detect any format."""


class Format(NamedTuple):
    """A format's description, and the name ending of readable formats, such as ``.csv.gz``."""

    words: str
    ending: str | None = None


_MARKS = (
    (b"\x1f\x8b", Format("compressed by gzip", ".csv.gz")),
    (b"\x28\xb5\x2f\xfd", Format("compressed by zstd", ".csv.zst")),
    (b"\xfd7zXZ\x00", Format("compressed by xz")),
    (b"PK\x03\x04", Format("a ZIP archive, or a spreadsheet of Excel")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format("a spreadsheet of Excel")),
    (b"ARROW1\x00\x00", Format("an Arrow file (Feather)")),
    (b"Obj\x01", Format("an Avro file")),
    (b"\x89HDF\r\n\x1a\n", Format("an HDF5 file")),
)
_PARQUET, _ENCRYPTED = Format("a Parquet file", ".parquet"), Format("an encrypted Parquet file")
_WORDS = {b"PAR1": _PARQUET, b"PARE": _ENCRYPTED, b"ORC": Format("an ORC file")}
"""Magic bytes that could also start a CSV header."""


def format_of(start: bytes) -> Format | None:
    """The format of a file that starts with these bytes; ``None`` for text and unknown formats."""
    for mark, found in _MARKS:
        if start.startswith(mark):
            return found
    if start.startswith(b"BZh") and start[4:10] == b"1AY&SY":
        return Format("compressed by bzip2", ".csv.bz2")
    for mark, found in _WORDS.items():
        if start.startswith(mark) and not _is_text(start):
            return found
    return None


def check_format(path: Location, claimed: str) -> None:
    """Raise ``DataError`` if a file's content does not match its name, with the actual format and a correct name.

    ``claimed`` is the name's ending in lower case: ``.parquet``, ``.csv``, or a compression's such as ``.gz``. Damaged
    files and files too short to tell pass.
    """
    with path.open("rb") as file:
        start = file.read(START)
    found = format_of(start)
    if found is None:
        if claimed in (".gz", ".bz2", ".zst") and _is_text(start):
            raise DataError(f"{path}: is not compressed, though its name says so; name it {_named(path, '.csv')}")
        if claimed == ".parquet" and _is_text(start):
            raise DataError(f"{path}: is text, not Parquet; if it is CSV, name it {_named(path, '.csv')}")
    elif found.ending is None:
        raise DataError(f"{path}: is {found.words}, which cannot be read; write it as Parquet or CSV")
    elif not found.ending.endswith(claimed):
        raise DataError(f"{path}: is {found.words}, though its name does not say so; {_advice(path, claimed, found)}")


def check_decompressed(path: Location, start: bytes) -> None:
    """Raise ``DataError`` if the decompressed content, which starts with these bytes, is not text."""
    found = format_of(start)
    if found is not None:
        ending = f", and name it {_named(path, found.ending)}" if found.ending else ""
        raise DataError(
            f"{path}: contains a file that is itself {found.words}, compressed again; decompress it{ending}"
        )


def _advice(path: Location, claimed: str, found: Format) -> str:
    ending = str(found.ending)
    if claimed == ".parquet":
        return f"name it {_named(path, ending)} if it holds CSV; if it holds Parquet, decompress it"
    return f"name it {_named(path, ending)}"


def _named(path: Location, ending: str) -> str:
    """The file's name with another ending; ``.tsv`` is kept."""
    name = path.name
    for compression in (".gz", ".bz2", ".zst"):
        if name.lower().endswith(compression):
            name = name[: -len(compression)]
    base = Path(name)
    if ending.startswith(".csv") and base.suffix.lower() == ".tsv":
        ending = base.suffix + ending.removeprefix(".csv")
    return base.stem + ending


def _is_text(start: bytes) -> bool:
    return bool(start) and all(byte >= 32 or byte in b"\t\n\r" for byte in start)
