"""Ours for ``benchmarks.predict_speed``: the job, and the loop over the SavedModel that it is compared with."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.artifact import load
from ranker.engines import ENGINES, ON_CPU
from ranker.log_files.log_reader import Log
from ranker.prediction.job import predict_files
from ranker.prediction.options import PredictOptions


class Clock:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def times(self) -> dict[str, float]:
        """Seconds of the wall's clock, and of the CPU over all threads."""
        wall, cpu = self._begun
        return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def job(artifact: Path, log: Path, output: Path, engine: str) -> dict[str, float]:
    """Score the log by the job."""
    clock = Clock()
    summary = predict_files(artifact, [log], output, PredictOptions(engine=engine))
    return {"rows": summary.rows, **clock.times()}


def loop(artifact: Path, log: Path, output: Path, batch: int, rows: int) -> dict[str, float]:
    """Score the log's first rows as a script would: read a batch, encode it, run the SavedModel, write the scores."""
    loaded = load(artifact)
    model = ENGINES["tensorflow"](loaded.model_path, ON_CPU)
    columns, tasks = loaded.schema.input_columns(), loaded.manifest.tasks
    schema = pa.schema([(task, pa.float32()) for task in tasks])
    output.mkdir()
    done, clock = 0, Clock()
    with pq.ParquetWriter(output / "scores.parquet", schema) as writer:
        for chunk in Log([log]).arrow_chunks(columns):
            for start in range(0, chunk.rows, batch):
                part = chunk.rows_from(start, min(start + batch, chunk.rows)).converted()
                scores = model.score(loaded.encoder.encode(part.columns, part.columns))
                writer.write_table(
                    pa.table(dict(zip(tasks, np.ascontiguousarray(scores.T), strict=True)), schema=schema)
                )
                done += part.rows
                if done >= rows:
                    return {"rows": done, **clock.times()}
    return {"rows": done, **clock.times()}


def main(artifact: str, what: str, log: str, output: str, *rest: str) -> None:
    """Run one and print its rows and seconds as JSON."""
    if what == "job":
        found = job(Path(artifact), Path(log), Path(output), *rest)
    else:
        found = loop(Path(artifact), Path(log), Path(output), *map(int, rest))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
