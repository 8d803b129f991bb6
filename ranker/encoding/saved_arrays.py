"""The arrays of a saved encoder: small ones in one file, and each large one in a file of its own, to be mapped."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

SMALL = "encoder.npz"
LARGE = "encoder"
MAPPED = 1 << 20
"""Bytes from which an array has its own file."""


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays into a folder; names may hold any character."""
    large = {name: array for name, array in arrays.items() if array.nbytes >= MAPPED}
    small = {name: array for name, array in arrays.items() if name not in large}
    np.savez(folder / SMALL, allow_pickle=False, **small)
    if large:
        (folder / LARGE).mkdir(exist_ok=True)
    for name, array in large.items():
        np.save(folder / LARGE / f"{quote(name, safe='')}.npy", array, allow_pickle=False)


def read_arrays(folder: Path, files: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Read small arrays and map large ones, so that processes share their pages.

    ``files`` are the paths below ``folder`` that may be read: others, which nobody verified, are ignored. Raises
    ``OSError`` and ``ValueError``.
    """
    with np.load(folder / SMALL, allow_pickle=False) as stored:
        arrays = dict(stored)
    for name in sorted(files):
        if not name.startswith(f"{LARGE}/"):
            continue
        mapped = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        arrays[unquote(Path(name).stem)] = mapped.view(np.ndarray)  # np.memmap's overhead would slow every look-up
    return arrays
