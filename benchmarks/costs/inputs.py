"""What stages are measured on: a config, logs of any length, an artifact, and requests made of rows of a log."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import yaml

from ranker.artifact import Artifact, load
from training.config.experiment import Experiment

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "demo.yaml"
TRAIN = [sys.executable, "-c", "from training.cli import app; app()"]
FIT_ROWS = 100_000
"""Rows that the artifact is fitted on, where none is given."""
GROUP_ROWS = 50_000


@dataclass(frozen=True)
class Inputs:
    """A config, a log or none for simulated ones, an artifact or none for one that is fitted, and a scratch folder."""

    work: Path
    config: Path = CONFIG
    log: Path | None = None
    model: Path | None = None

    def to_json(self) -> str:
        """The paths, for a process of its own."""
        return json.dumps({name: None if path is None else str(path) for name, path in vars(self).items()})

    @classmethod
    def from_json(cls, told: str) -> Self:
        """What ``to_json`` wrote."""
        paths = {name: Path(path) for name, path in json.loads(told).items() if path is not None}
        return cls(paths["work"], paths["config"], paths.get("log"), paths.get("model"))

    @property
    def model_name(self) -> str:
        """The config's name, without its place on this machine."""
        return self.config.name

    def experiment(self) -> Experiment:
        """The config, with rows held out at random, so that logs of any length have some."""
        data = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        data["data"] = {**data.get("data", {}), "split": {"by": "random", "fraction": 0.1}}
        return Experiment.model_validate(data)

    def rows(self, count: int) -> Path:
        """A log of so many rows: simulated, or the first ones of the given log, which must have as many."""
        folder = self.work / f"log_{count}"
        if folder.is_dir():
            return folder
        if self.log is None:
            run([*TRAIN, "simulate", "--rows", str(count), "--output", str(folder)])
            return folder
        table = ds.dataset(self.log, partitioning=None, format="parquet", exclude_invalid_files=True).head(count)
        if table.num_rows < count:
            raise SystemExit(
                f"error: {self.log} has {table.num_rows:,} rows, and {count:,} are needed: use smaller sizes"
            )
        folder.mkdir()
        pq.write_table(table, folder / "part.parquet", row_group_size=GROUP_ROWS)
        return folder

    def artifact(self) -> Artifact:
        """The artifact; it is fitted with one epoch where none is given."""
        if self.model is not None:
            return _artifact(self.model)
        output = self.work / "artifacts"
        if not output.is_dir():
            data = yaml.safe_load(self.config.read_text(encoding="utf-8"))
            data["training"] = {**data.get("training", {}), "epochs": 1}
            shorter = self.work / "one_epoch.yaml"
            shorter.write_text(yaml.safe_dump(data))
            run([*TRAIN, "fit", str(shorter), "--data", str(self.rows(FIT_ROWS)), "--output", str(output)])
        return _artifact(output)

    def request(self, candidates: int, returned: int, seed: int = 0) -> dict[str, Any]:
        """A request made of the log: the context of one row, and candidates of as many rows with distinct ids."""
        schema, table = self.artifact().schema, _table(self.rows(FIT_ROWS))
        sides = [[schema.column(name) for name in side] for side in (schema.context, schema.candidate)]
        context, candidate = ([name for name in dict.fromkeys(side) if name in table.column_names] for side in sides)
        first = seed * 997 % table.num_rows
        user = {name: table[name][first].as_py() for name in context}
        key = schema.candidate_id
        items: dict[Any, dict[str, Any]] = {}
        for row in _from(table.select(candidate), first):
            items.setdefault(row[key] if key else len(items), row)
            if len(items) == candidates:
                break
        else:
            raise SystemExit(f"error: the log has {len(items):,} items, and {candidates:,} are needed")
        rows = list(items.values())
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return {"context": user, "candidates": columns, "top_k": returned}


@lru_cache
def _artifact(folder: Path) -> Artifact:
    return load(folder)


@lru_cache
def _table(log: Path) -> pa.Table:
    return ds.dataset(log, partitioning=None, format="parquet", exclude_invalid_files=True).to_table()


def _from(table: pa.Table, first: int) -> Iterator[dict[str, Any]]:
    for batch in (*table.slice(first).to_batches(1000), *table.slice(0, first).to_batches(1000)):
        yield from batch.to_pylist()


def run(command: list[str]) -> None:
    """Run a command, whose output is only shown if it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"error: {' '.join(command[-6:])} failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")


def body(request: dict[str, Any]) -> bytes:
    """A request as JSON."""
    return json.dumps(request, default=str).encode()
