"""What the first bytes of a file say it is, so that a wrong name is reported as one."""

from pathlib import Path
from typing import NamedTuple

from training.data.errors import DataError

START = 64
"""Bytes that tell all formats apart."""


class Format(NamedTuple):
    """A format in words, and what a file of it is called: ``log.csv.gz``; no ending where it cannot be read."""

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
"""Marks that may also begin the header of a CSV file, which is text."""


def format_of(start: bytes) -> Format | None:
    """The format of a file that begins so; ``None`` for text and for what is not known."""
    for mark, found in _MARKS:
        if start.startswith(mark):
            return found
    if start.startswith(b"BZh") and start[4:10] == b"1AY&SY":
        return Format("compressed by bzip2", ".csv.bz2")
    for mark, found in _WORDS.items():
        if start.startswith(mark) and not _is_text(start):
            return found
    return None


def check_format(path: Path, said: str) -> None:
    """Raise ``DataError`` for a file that is not of the format which its name says: what it is, and how to name it.

    ``said`` is the ending in lower case: ``.parquet``, ``.csv``, or that of a compression such as ``.gz``. A file
    that is damaged passes, and one that is too short to tell.
    """
    with path.open("rb") as file:
        start = file.read(START)
    found = format_of(start)
    if found is None:
        if said in (".gz", ".bz2", ".zst") and _is_text(start):
            raise DataError(f"{path}: is not compressed, though its name says so; name it {_named(path, '.csv')}")
        if said == ".parquet" and _is_text(start):
            raise DataError(f"{path}: is text, not Parquet; if it is CSV, name it {_named(path, '.csv')}")
    elif found.ending is None:
        raise DataError(f"{path}: is {found.words}, which cannot be read; write it as Parquet or CSV")
    elif not found.ending.endswith(said):
        raise DataError(f"{path}: is {found.words}, though its name does not say so; {_advice(path, said, found)}")


def check_unpacked(path: Path, start: bytes) -> None:
    """Raise ``DataError`` for a compressed file whose text, which begins so, is no text."""
    found = format_of(start)
    if found is not None:
        ending = f", and name it {_named(path, found.ending)}" if found.ending else ""
        raise DataError(f"{path}: holds what is {found.words}, compressed once more; decompress it{ending}")


def _advice(path: Path, said: str, found: Format) -> str:
    ending = str(found.ending)
    if said == ".parquet":
        return f"name it {_named(path, ending)} if it holds CSV; if it holds Parquet, decompress it"
    return f"name it {_named(path, ending)}"


def _named(path: Path, ending: str) -> str:
    """The file's name with another ending; that of tab-separated text stays."""
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
