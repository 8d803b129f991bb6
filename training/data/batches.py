"""Encoded rows on disk: written once, read in a new shuffled order each epoch, in bounded memory."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

Batch = dict[str, NDArray[Any]]
NUMBERS = "candidate_numbers"


class EncodedWriter:
    """Writes chunks of arrays into a folder, which is complete only after ``close``."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        self._rows: list[int] = []

    def write(self, arrays: Batch) -> None:
        """Write a chunk; all arrays have the same number of rows."""
        rows = write_chunk(self._folder / f"{len(self._rows):06d}.npz", arrays)
        self._rows.append(rows)

    def adopt(self, file: Path, rows: int) -> None:
        """Move a chunk that :func:`write_chunk` has written, on the same file system, into the folder."""
        file.replace(self._folder / f"{len(self._rows):06d}.npz")
        self._rows.append(rows)

    def close(self) -> "EncodedRows":
        """Mark the folder as complete and open it."""
        (self._folder / "rows.json").write_bytes(orjson.dumps(self._rows))
        return EncodedRows.open(self._folder)


@dataclass(frozen=True)
class EncodedRows:
    """Chunks of encoded rows in a folder.

    Attributes
    ----------
    folder, rows
        The folder, and the rows of each chunk.
    scores
        Folder of further columns of each chunk's ``candidate_numbers``: tree scores.
    """

    folder: Path
    rows: tuple[int, ...]
    scores: Path | None = None

    @classmethod
    def open(cls, folder: Path) -> "EncodedRows":
        """Open a complete folder. Raises ``FileNotFoundError`` if it is missing or incomplete."""
        return cls(folder, tuple(orjson.loads((folder / "rows.json").read_bytes())))

    def __len__(self) -> int:
        """Number of rows."""
        return sum(self.rows)

    def chunks(self) -> Iterator[Batch]:
        """Chunks in the order they were written."""
        return (self.read(i) for i in range(len(self.rows)))

    def columns(self, *names: str) -> Iterator[tuple[NDArray[Any], ...]]:
        """The named arrays of each chunk, without reading the others; arrays that a chunk lacks are left out."""
        if self.scores is not None and NUMBERS in names:
            yield from (tuple(chunk[name] for name in names if name in chunk) for chunk in self.chunks())
            return
        for chunk in range(len(self.rows)):
            with np.load(self.folder / f"{chunk:06d}.npz", allow_pickle=False) as arrays:
                yield tuple(arrays[name] for name in names if name in arrays)

    def steps(self, batch_size: int) -> int:
        """Number of batches per epoch."""
        return -(-len(self) // batch_size)

    def batches(self, batch_size: int, shuffle_rows: int, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Shuffled batches of one epoch, starting at batch ``skip``, deterministic given seed and epoch.

        Chunks are read in random order into a shuffle buffer of at least ``shuffle_rows`` rows.
        """
        random = np.random.default_rng([seed, epoch])
        pool: list[Batch] = []
        number = 0
        order = random.permutation(len(self.rows)).tolist()
        for i, chunk in enumerate(order):
            pool.append(self.read(chunk))
            buffered = sum(len(next(iter(part.values()))) for part in pool)
            last = i == len(order) - 1
            if buffered < shuffle_rows and not last:
                continue
            shuffled = taken(joined(pool), random.permutation(buffered))
            end = buffered if last else buffered - buffered % batch_size
            for start in range(0, end, batch_size):
                if number >= skip:
                    yield {name: array[start : start + batch_size] for name, array in shuffled.items()}
                number += 1
            pool = [{name: array[end:].copy() for name, array in shuffled.items()}] if end < buffered else []

    def read(self, chunk: int) -> Batch:
        """One chunk."""
        with np.load(self.folder / f"{chunk:06d}.npz", allow_pickle=False) as arrays:
            batch = dict(arrays)
        if self.scores is not None:
            scores = np.load(self.scores / f"{chunk:06d}.npy", allow_pickle=False)
            batch[NUMBERS] = np.concatenate([batch[NUMBERS], scores], axis=1) if NUMBERS in batch else scores
        return batch


def write_chunk(file: Path, arrays: Batch) -> int:
    """Write a chunk to a file; return its number of rows."""
    np.savez(file, allow_pickle=False, **arrays)
    return len(next(iter(arrays.values())))


def joined(parts: list[Batch]) -> Batch:
    """Batches one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if len(parts) > 1 else parts[0]


def taken(arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.integer]) -> Batch:
    """The rows at some indices."""
    return {name: array[rows] for name, array in arrays.items()}
