"""Writes a simulated log to disk: Parquet parts and the config."""

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.simulator.config import SimulatorConfig
from training.simulator.log import SCHEMA, impressions
from training.simulator.world import MANIFEST, World

PART_ROWS = 250_000
GROUP_ROWS = 50_000
_UNFINISHED = ".simulating"
_PART = re.compile(r"part-\d{5,}\.parquet")


def simulate(
    config: SimulatorConfig,
    directory: Path | str,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write the log of ``config`` to ``directory``; return its Parquet parts in time order.

    Parts of 250,000 rows are written under temporary names and appear, with ``_simulation.json``, when all are
    complete. Memory is bounded.

    Parameters
    ----------
    config
        What to simulate.
    directory
        Where to write; created if missing. It must be empty.
    overwrite
        Whether to replace an earlier simulation in ``directory``. Other files are never touched.
    progress
        Called with the number of rows simulated so far, after every block of at most 2,500 sessions.

    Raises
    ------
    FileExistsError
        If ``directory`` contains anything except an earlier simulation to overwrite.
    NotADirectoryError
        If ``directory`` is a file.
    """
    target = Path(directory)
    _check_free(target, overwrite)
    world = World(config)
    unfinished = target / _UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        names = _write_parts(_counted(impressions(world), progress), unfinished)
        manifest = {
            "format": 1,
            "config": config.model_dump(mode="json"),
            "parts": names,
            "probe": [float(f"{x:.6g}") for x in world.probe()],
        }
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        # The manifest is deleted first and written last, so that a directory with one is complete.
        (target / MANIFEST).unlink(missing_ok=True)
        for path in _parts(target):
            path.unlink()
        for name in [*names, MANIFEST]:
            (unfinished / name).replace(target / name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return [target / name for name in names]


def _parts(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if _PART.fullmatch(path.name)]


def _check_free(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file: name a directory to write the simulation to")
    names = {path.name for path in target.iterdir()} if target.exists() else set()
    simulated = MANIFEST in names
    foreign = sorted(n for n in names if n not in (MANIFEST, _UNFINISHED) and not (simulated and _PART.fullmatch(n)))
    if foreign:
        raise FileExistsError(
            f"{target} holds {foreign[0]!r}, which is not from a simulation: choose an empty or a new directory"
        )
    if names and not overwrite:
        raise FileExistsError(
            f"{target} holds an earlier simulation: overwrite it (overwrite=True) or choose another directory"
        )


def _counted(blocks: Iterator[pa.Table], progress: Callable[[int], None] | None) -> Iterator[pa.Table]:
    rows = 0
    for block in blocks:
        yield block
        rows += block.num_rows
        if progress is not None:
            progress(rows)


def _groups(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Regroup blocks of any size into tables of GROUP_ROWS rows; the last may be smaller."""
    held: list[pa.Table] = []
    rows = 0
    for block in blocks:
        held.append(block)
        rows += block.num_rows
        while rows >= GROUP_ROWS:
            table = pa.concat_tables(held)
            yield table.slice(0, GROUP_ROWS)
            held, rows = [table.slice(GROUP_ROWS)], rows - GROUP_ROWS
    if rows:
        yield pa.concat_tables(held)


def _write_parts(blocks: Iterator[pa.Table], directory: Path) -> list[str]:
    names: list[str] = []
    groups = _groups(blocks)
    for first in groups:
        names.append(f"part-{len(names):05d}.parquet")
        with pq.ParquetWriter(directory / names[-1], SCHEMA, compression="zstd", compression_level=1) as writer:
            for group in itertools.chain([first], itertools.islice(groups, PART_ROWS // GROUP_ROWS - 1)):
                writer.write_table(group, row_group_size=GROUP_ROWS)
    return names
