"""The exposures of one run: rows that no earlier run has written, found by key, and read again to be written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import ExposureFile, facts, read_file
from ranker.exposures.columns import ITEM
from ranker.log_files.log_reader import DataError
from training.exposures.keys import as_text, hashes, paired
from training.exposures.spill import Spill, leading
from training.exposures.state import ReadFile
from training.progress_listener import Progress

SHOWN = [("key", "u8"), ("time", "i8"), ("row", "i8")]
NEVER = -(2**62)


@dataclass
class Part:
    """The unwritten rows of a file: numbers from ``first``, of which ``closed`` can be written; the latest time."""

    file: ExposureFile
    through: int
    first: int
    rows: int = 0
    closed: int = 0
    latest: int = NEVER


class ExposureRun:
    """Unwritten rows of exposure files, divided by the leading bits of their keys.

    Attributes
    ----------
    by_request, by_user
        Keys of request and item, and of unit and item; the latter only if asked for.
    parts
        The files.
    """

    def __init__(self, folder: Path, bits: int, watermark: int, *, users: bool) -> None:
        self.by_request = Spill(folder / "shown_by_request", SHOWN, 1 << bits)
        self.by_user = Spill(folder / "shown_by_user", SHOWN, 1 << bits)
        self.parts: list[Part] = []
        self._bits, self._watermark, self._users = bits, watermark, users

    def read(self, files: Sequence[ExposureFile], known: dict[str, ReadFile], progress: Progress) -> None:
        """Read the keys of all rows that are not written yet."""
        number = 0
        for file in files:
            seen = known.get(file.path.name)
            if seen is not None and seen.done:
                continue
            part = Part(file, NEVER if seen is None else seen.through, number)
            for rows, times in unwritten(part, ["request_id", "unit", ITEM]):
                numbers = np.arange(number, number + rows.num_rows)
                item = hashes(as_text(rows[ITEM], f"{file.path}, column {ITEM!r}"))
                self._add(self.by_request, rows["request_id"], item, times, numbers)
                if self._users:
                    self._add(self.by_user, rows["unit"], item, times, numbers)
                number += rows.num_rows
                part.rows += rows.num_rows
                part.closed += int((times <= self._watermark).sum())
                part.latest = max(part.latest, int(times.max(initial=NEVER)))
                progress("read exposures", rows.num_rows)
            self.parts.append(part)

    def closed(
        self, columns_of: Callable[[Sequence[str]], Sequence[str]]
    ) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Rows whose window is over, with their times and numbers [N]; ``columns_of`` says what to read of a file's."""
        for part in self.parts:
            if not part.closed:
                continue
            number = part.first
            for rows, times in unwritten(part, columns_of(pq.read_schema(part.file.path).names)):
                over = times <= self._watermark
                numbers = np.arange(number, number + rows.num_rows)
                number += rows.num_rows
                if over.any():
                    yield rows.filter(pa.array(over)), times[over], numbers[over]

    def read_files(self) -> dict[str, ReadFile]:
        """How much of each file is written after this run."""
        return {
            part.file.path.name: ReadFile(through=self._watermark, done=part.latest <= self._watermark)
            for part in self.parts
        }

    def _add(
        self,
        spill: Spill,
        owner: pa.ChunkedArray,
        item: npt.NDArray[np.uint64],
        times: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
    ) -> None:
        text = as_text(owner, "exposures")
        known = text.is_valid().to_numpy(zero_copy_only=False)
        keys = paired(hashes(text), item)[known]
        spill.add(leading(keys, self._bits), key=keys, time=times[known], row=numbers[known])


def unwritten(part: Part, columns: Sequence[str]) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Returned rows after the part's ``through``, with their times [N] in milliseconds since 1970."""
    wanted = list(dict.fromkeys([*columns, "time", "place", "returned"]))
    for table in read_file(part.file.path, wanted):
        times = table["time"].cast(pa.int64()).to_numpy()
        mine = (times > part.through) & (table["place"].to_numpy() <= table["returned"].to_numpy())
        if mine.any():
            yield table.filter(pa.array(mine)), times[mine]


def check_units(files: Sequence[ExposureFile], salted: bool) -> None:
    """Raise ``DataError`` unless units are hashed exactly if there is a salt to hash users with."""
    for file in files:
        hashed = bool(facts(file.path).get("hashed"))
        if hashed and not salted:
            raise DataError(
                f"{file.path}: units are hashed, and these events name users and no requests; give the salt of the "
                "service's setting with --unit-salt-file, or events with a request_id"
            )
        if salted and not hashed:
            raise DataError(f"{file.path}: units are not hashed; leave --unit-salt-file out")
