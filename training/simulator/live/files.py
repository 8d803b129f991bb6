"""Writes the events and the truth of a live simulation as Parquet files that appear whole."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.files import replacing
from training.simulator.live.rounds import Round

EVENTS, TRUTH = "events", "truth"
ROLL = 50_000
"""Rows of a file."""


class LiveFiles:
    """``events/SEED-N.parquet`` and ``truth/SEED-N.parquet`` below a folder, with ``roll`` rows or a few more each.

    Events that are reported again come with the next block, and late ones last, so that they are in other files.
    """

    def __init__(self, folder: Path, seed: int, roll: int = ROLL) -> None:
        """Raise ``FileExistsError`` if the folder has files of the seed, whose request ids would come twice."""
        self._folders = {name: folder / name for name in (EVENTS, TRUTH)}
        self._seed, self._roll = seed, roll
        self._waiting: dict[str, list[pa.Table]] = {EVENTS: [], TRUTH: []}
        self._written = dict.fromkeys(self._folders, 0)
        self._again: list[pa.Table] = []
        self._late: list[pa.Table] = []
        self.paths: list[Path] = []
        for path in self._folders.values():
            if next(path.glob(f"{seed}-*.parquet"), None) is not None:
                raise FileExistsError(
                    f"{path} holds files of visits with seed {seed}, whose request ids would come twice: choose "
                    "another seed (--visit-seed) or another folder"
                )

    def add(self, block: Round) -> None:
        """Write a block, together with others."""
        self._add(EVENTS, *self._again, block.events.prompt)
        self._again = [block.events.again]
        self._late.append(block.events.late)
        self._add(TRUTH, block.truth())

    def close(self) -> None:
        """Write what is left."""
        self._add(EVENTS, *self._again)
        self._write(EVENTS)
        self._write(TRUTH)
        self._add(EVENTS, *self._late)
        self._write(EVENTS)

    def _add(self, name: str, *tables: pa.Table) -> None:
        self._waiting[name] += tables
        if sum(table.num_rows for table in self._waiting[name]) >= self._roll:
            self._write(name)

    def _write(self, name: str) -> None:
        tables = [table for table in self._waiting[name] if table.num_rows]
        self._waiting[name] = []
        if not tables:
            return
        path = self._folders[name] / f"{self._seed}-{self._written[name]:05d}.parquet"
        self._folders[name].mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            pq.write_table(pa.concat_tables(tables), partial, compression="zstd")
        self._written[name] += 1
        self.paths.append(path)
