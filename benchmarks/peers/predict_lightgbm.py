"""LightGBM for ``benchmarks.predict_speed``: a booster per objective, fitted on one log, predicts another."""

import json
import sys
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FEATURES = ("user_id", "item_id", "author_id", "category", "device", "user_city", "user_gender", "hour", "user_age",
            "user_activity", "duration_s", "item_age_days")  # fmt: skip
"""Columns of one value; trees read no lists."""
OBJECTIVES = {"click": "binary", "like": "binary", "share": "binary", "watch_time": "regression"}
ROUNDS, LEAVES, BATCH = 100, 31, 65_536


def matrix(batch: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Columns as numbers [N, F]; text is hashed."""
    columns = []
    for name in FEATURES:
        values = batch.column(name).to_pandas()
        columns.append(values.map(hash, na_action="ignore") % 1000 if values.dtype.kind in "OT" else values)
    return np.column_stack([column.to_numpy(np.float64) for column in columns])


def main(training: str, log: str, output: str) -> None:
    """Fit, then predict in batches of rows with all cores, and print rows and seconds of the latter as JSON."""
    rows = pq.read_table(training)
    inputs = matrix(rows)
    boosters = {}
    for name, objective in OBJECTIVES.items():
        labels = rows.column(name).to_pandas().to_numpy(np.float64)
        known = np.isfinite(labels)
        parameters = {"objective": objective, "num_leaves": LEAVES, "verbosity": -1}
        boosters[name] = lgb.train(parameters, lgb.Dataset(inputs[known], labels[known]), num_boost_round=ROUNDS)
    Path(output).mkdir()
    done, predicting, begun, cpu = 0, 0.0, time.perf_counter(), time.process_time()
    schema = pa.schema([(name, pa.float32()) for name in boosters])
    with pq.ParquetWriter(Path(output) / "scores.parquet", schema) as writer:
        for file in sorted(Path(log).glob("*.parquet")):
            for batch in pq.ParquetFile(file).iter_batches(BATCH, columns=list(FEATURES)):
                features = matrix(batch)
                started = time.perf_counter()
                scores = {name: booster.predict(features).astype(np.float32) for name, booster in boosters.items()}
                predicting += time.perf_counter() - started
                writer.write_table(pa.table(scores, schema=schema))
                done += batch.num_rows
    seconds = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps({"rows": done, **seconds, "predicting_s": predicting}))


if __name__ == "__main__":
    main(*sys.argv[1:])
