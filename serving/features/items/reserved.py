"""Memory-mapped array files whose disk space is reserved before mapping.

Writing to a mapped file on a full disk kills the process with SIGBUS. With the space reserved first, a full disk is an
``OSError`` before anything is mapped.
"""

import errno
import os
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def new_array(path: Path, kind: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Create and map a ``.npy`` file of zeros. Raises ``OSError`` with the file and its size if the disk is full."""
    dtype, header = np.dtype(kind), BytesIO()
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(header, facts)
    size = len(header.getvalue()) + dtype.itemsize * int(np.prod(shape))
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            free = shutil.disk_usage(path.parent).free / 2**20
            reason = f"no room for {path.name}: it needs {size / 2**20:,.1f} MiB, and {free:,.0f} MiB are free"
            raise OSError(error.errno, reason) from None
        file.write(header.getvalue())
    return np.lib.format.open_memmap(path, mode="r+")


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as a ``.npy`` file. Raises ``OSError`` as :func:`new_array` does."""
    new_array(path, array.dtype, array.shape)[...] = array
