"""Files of named arrays, NumPy's ``.npz``, written and read without holding a large array in memory."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

LOCAL_HEADER = struct.Struct("<26xHH")
"""Of an entry of a zip file: the lengths of the name and of the extra field that follow it."""


@dataclass(frozen=True)
class Rows:
    """An array that is to be written: its shape and type, and a function that yields it in consecutive parts."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: Callable[[], Iterator[NDArray[Any]]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Rows":
        """An array in memory."""
        return cls(array.shape, array.dtype, lambda: iter([array]))


def write_arrays(path: Path, arrays: Mapping[str, Rows]) -> None:
    """Write the arrays one after the other, part by part, uncompressed."""
    with ZipFile(path, "w", ZIP_STORED, allowZip64=True) as archive:
        for name, rows in arrays.items():
            facts = {"descr": np.lib.format.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": rows.shape}
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array_header_2_0(file, facts)
                for part in rows.parts():
                    file.write(np.ascontiguousarray(part).data)


def mapped_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed file, read-only and mapped, so that only what is used is read.

    Raises ``OSError`` and ``ValueError`` if it cannot be read.
    """
    found: dict[str, NDArray[Any]] = {}
    try:
        with ZipFile(path) as archive, path.open("rb") as file:
            for entry in archive.infolist():
                if entry.compress_type != ZIP_STORED:
                    raise ValueError(f"{entry.filename} is compressed")
                file.seek(entry.header_offset)
                name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
                file.seek(entry.header_offset + LOCAL_HEADER.size + name + extra)
                found[entry.filename.removesuffix(".npy")] = _mapped(path, file)
    except (BadZipFile, struct.error) as error:
        raise ValueError(str(error)) from None
    return found


def _mapped(path: Path, file: IO[bytes]) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = header(file)
    if dtype.hasobject:
        raise ValueError("holds Python objects")
    if not np.prod(shape):
        return np.zeros(shape, dtype)
    offset = file.tell()
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran_order else "C")
