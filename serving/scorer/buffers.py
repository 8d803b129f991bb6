"""Buffers of shared memory: each holds the packed arrays of one request, and then its scores.

A buffer is an anonymous file in memory, which the worker maps, and the scorer maps too once it was sent the file's
descriptor. It has no name that others could open, and is gone with the processes that map it.
"""

import mmap
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.scorer.messages import Place

HEADER = 64
"""Bytes before the arrays; the first one says whether the request is withdrawn."""
ALIGNMENT = 64
SMALLEST = 1 << 16


class Buffer:
    """A worker's buffer."""

    file: int | None = None
    """The descriptor, until the scorer has it."""

    def __init__(self, number: int, size: int) -> None:
        """Raise ``OSError`` if there is no memory or no file descriptor left."""
        self.number, self.size = number, size
        self.file = os.memfd_create("ranker-scorer", os.MFD_CLOEXEC)
        os.ftruncate(self.file, size)
        self.memory = mmap.mmap(self.file, size)

    def close_file(self) -> None:
        """Close the descriptor, once nobody sends it any more: the mapping stays."""
        file, self.file = self.file, None
        if file is not None:
            os.close(file)

    def __del__(self) -> None:
        """Close the descriptor of a buffer that was never sent, or whose scorer has died."""
        self.close_file()

    def fill(self, arrays: Sequence[NDArray[Any]]) -> tuple[tuple[Place, ...], int]:
        """Copy arrays of two dimensions into the buffer; return their places, and where the scores go."""
        self.memory[0] = 0
        places, offset = [], HEADER
        for array in arrays:
            rows, columns = array.shape
            place = Place(array.dtype.str[1:].encode(), rows, columns, offset)
            place.view(self.memory)[...] = array
            places.append(place)
            offset = _aligned(offset + array.nbytes)
        return tuple(places), offset

    def withdraw(self) -> None:
        """Tell the scorer not to run the request any more."""
        self.memory[0] = 1

    def scores(self, offset: int, rows: int, columns: int) -> NDArray[np.float32]:
        """A copy of the scores."""
        return np.ndarray((rows, columns), np.float32, buffer=self.memory, offset=offset).copy()


class Buffers:
    """The buffers of one connection. There are as many as there were requests at the scorer at once.

    Not thread-safe. The buffer used last is used next, since it is in the processor's caches.
    """

    def __init__(self) -> None:
        self._idle: list[Buffer] = []
        self._count = 0

    def take(self, size: int) -> Buffer:
        """A buffer of at least ``size`` bytes; one that is too small is replaced. Raises ``OSError``."""
        if not self._idle:
            buffer = Buffer(self._count, _rounded(size))
            self._count += 1
            return buffer
        buffer = self._idle.pop()
        if buffer.size >= size:
            return buffer
        try:
            larger = Buffer(buffer.number, _rounded(size))
        except OSError:
            self._idle.append(buffer)
            raise
        buffer.close_file()
        return larger

    def put(self, buffer: Buffer) -> None:
        """Give a buffer back."""
        self._idle.append(buffer)


def size_of(arrays: Sequence[NDArray[Any]], scores: int) -> int:
    """Bytes of a buffer for arrays and so many scores."""
    return HEADER + sum(_aligned(array.nbytes) for array in arrays) + 4 * scores


def is_withdrawn(memory: mmap.mmap) -> bool:
    """Whether the request in a buffer is withdrawn."""
    return bool(memory[0])


def mapped(file: int) -> mmap.mmap:
    """Map a buffer that was received, and close its descriptor. Raises ``OSError``."""
    try:
        return mmap.mmap(file, os.fstat(file).st_size)
    finally:
        os.close(file)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _rounded(size: int) -> int:
    """The next power of two, so that growing requests do not replace a buffer each time."""
    return max(1 << (size - 1).bit_length(), SMALLEST)
