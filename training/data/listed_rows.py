"""Encoded rows with the rows of each list together: what a loss over lists is trained on.

Lists may lie anywhere in a log. Its encoded rows are divided into parts by a hash of the list, so that a part has whole
lists and fits in memory, and are then shuffled list by list.
"""

import heapq
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ranker.files import replace_file
from ranker.log_files.log_reader import DataError
from ranker.rank_losses import LISTS
from training.data.batches import Batch, EncodedRows, EncodedWriter, joined, taken
from training.data.grouping import NO_GROUP

PART_ROWS = 65_536
"""Rows of a part, about."""
MOST_PARTS = 256
"""Files that are written at once; parts of logs with more rows than these have are larger."""
PIECE_ROWS = 8192
LARGEST = "largest"


@dataclass(frozen=True)
class ListedRows(EncodedRows):
    """Chunks of whole lists.

    A batch has whole lists, and as nearly as they allow the same number of rows as others: at most ``batch_size`` on
    average, where lists are short beside it.
    """

    def steps(self, batch_size: int) -> int:
        """Number of batches per epoch."""
        return sum(-(-rows // batch_size) for rows in self.rows)

    def batches(self, batch_size: int, shuffle_rows: int, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Batches of one epoch, starting at batch ``skip``, with lists in random order; each list is in one batch.

        Deterministic given seed and epoch. Chunks are read in random order into a buffer of at least ``shuffle_rows``
        rows.
        """
        random = np.random.default_rng([seed, epoch])
        pool: list[Batch] = []
        number = steps = 0
        order = random.permutation(len(self.rows)).tolist()
        for i, chunk in enumerate(order):
            pool.append(self.read(chunk))
            steps += -(-self.rows[chunk] // batch_size)
            if sum(len(part[LISTS]) for part in pool) < shuffle_rows and i < len(order) - 1:
                continue
            rows = joined(pool)
            for chosen in dealt(lists_of(rows[LISTS]), steps, random):
                if number >= skip:
                    yield taken(rows, chosen)
                number += 1
            pool, steps = [], 0


def lists_of(keys: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Indices of the rows of each list, from keys [N]; a row of no list is one by itself."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.ones(len(keys), dtype=bool)
    begins[1:] = (ordered[1:] != ordered[:-1]) | (ordered[1:] == NO_GROUP)
    return np.split(order, np.flatnonzero(begins)[1:])


def dealt(lists: list[NDArray[np.intp]], batches: int, random: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Divide lists of row indices into ``batches`` of about as many rows, at random; of fewer lists some have none.

    The longest lists are dealt first, each to the batch with the fewest rows: the rule of the longest processing time
    (Graham 1969), by which no batch has more than 4/3 of the rows of the best division.
    """
    mixed = random.permutation(len(lists))
    sizes = np.array([len(lists[i]) for i in mixed])
    smallest = [(0, place) for place in range(batches)]
    members: list[list[NDArray[np.intp]]] = [[] for _ in range(batches)]
    for i in mixed[np.argsort(-sizes, kind="stable")]:
        rows, place = smallest[0]
        members[place].append(lists[i])
        heapq.heapreplace(smallest, (rows + len(lists[i]), place))
    for place in random.permutation(batches):
        yield np.concatenate(members[place]) if members[place] else np.zeros(0, np.intp)


def regrouped(rows: EncodedRows, folder: Path) -> None:
    """Write encoded rows into ``folder`` again, with the rows of each list in one chunk and in the log's order."""
    parts = min(-(-len(rows) // PART_ROWS), MOST_PARTS)
    largest = 0
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        pieces = _divided(rows, parts, Path(scratch))
        writer = EncodedWriter(folder)
        for part in (part for part in range(parts) if pieces[part]):
            whole = _whole(Path(scratch) / str(part), pieces[part])
            ordered = taken(whole, np.argsort(whole[LISTS], kind="stable"))
            largest = max(largest, _longest(ordered[LISTS]))
            writer.write(ordered)
    replace_file(folder / LARGEST, str(largest).encode())
    writer.close()  # last, as it marks the folder as complete


def opened(folder: Path) -> ListedRows:
    """Open a complete folder. Raises ``FileNotFoundError`` if it is missing or incomplete."""
    found = EncodedRows.open(folder)
    return ListedRows(found.folder, found.rows)


def check_sizes(folder: Path, validation: EncodedRows, column: str, batch_size: int) -> None:
    """Raise ``DataError`` for a list with more rows than a batch; validation rows are checked chunk by chunk."""
    longest = max((_longest(np.sort(keys)) for (keys,) in validation.columns(LISTS)), default=0)
    for where, most in (("training", int((folder / LARGEST).read_text())), ("validation", longest)):
        if most > batch_size:
            raise DataError(
                f"training.batch_size: {batch_size:,} is less than the {most:,} {where} rows of one list (equal values "
                f"of {column!r}), and a batch has whole lists; set it to at least {most}, or group by a column with "
                "shorter lists"
            )


def without_order(rows: EncodedRows, places: Mapping[str, int]) -> list[str]:
    """The tasks of which no list has two rows with different labels, so that a list loss has nothing to learn.

    ``rows`` have the rows of each list one after the other, and ``places`` the column of labels by task.
    """
    left = dict(places)
    for keys, labels, known, *own in rows.columns(LISTS, "labels", "known", "weights"):
        counted = (np.prod([known, *own], axis=0) > 0) & (keys != NO_GROUP)[:, None]
        for name, place in list(left.items()):
            own_keys, own_labels = (values[counted[:, place]] for values in (keys, labels[:, place]))
            if ((np.diff(own_keys) == 0) & (np.diff(own_labels) != 0)).any():
                del left[name]
        if not left:
            break
    return list(left)


def pieces_of(batch: Batch, rows: int = PIECE_ROWS) -> Iterator[Batch]:
    """The batch in pieces of whole lists, of about ``rows`` rows: list losses compare all rows of a list in pairs.

    A batch without lists is one piece.
    """
    if LISTS not in batch:
        yield batch
        return
    order = np.argsort(batch[LISTS], kind="stable")
    begins = np.flatnonzero(np.diff(batch[LISTS][order], prepend=-1))
    after = np.searchsorted(begins, np.arange(rows, len(order), rows))
    for piece in np.split(order, np.unique(begins[after[after < len(begins)]])):
        yield taken(batch, piece)


def _longest(keys: NDArray[np.int64]) -> int:
    """Number of rows of the longest list, from sorted keys [N]."""
    known = keys[keys != NO_GROUP]
    return int(np.unique(known, return_counts=True)[1].max(initial=0))


def _divided(rows: EncodedRows, parts: int, folder: Path) -> list[list[tuple[str, ...]]]:
    """Append the rows of each chunk to the files of their parts, array by array; return the names of the arrays."""
    pieces: list[list[tuple[str, ...]]] = [[] for _ in range(parts)]
    with ExitStack() as stack:
        files: list[IO[bytes]] = [stack.enter_context((folder / str(part)).open("wb")) for part in range(parts)]
        for number, chunk in enumerate(rows.chunks()):
            of = np.where(chunk[LISTS] == NO_GROUP, number, chunk[LISTS]) % parts
            order = np.argsort(of, kind="stable")
            ends = np.searchsorted(of[order], np.arange(parts + 1))
            for part in range(parts):
                piece = taken(chunk, order[ends[part] : ends[part + 1]])
                if len(piece[LISTS]):
                    for array in piece.values():
                        np.save(files[part], array, allow_pickle=False)
                    pieces[part].append(tuple(piece))
    return pieces


def _whole(file: Path, pieces: list[tuple[str, ...]]) -> Batch:
    """What was appended to a file, as one batch."""
    with file.open("rb") as stored:
        return joined([{name: np.load(stored, allow_pickle=False) for name in names} for names in pieces])
