"""Overhead of the service: p50 of ``POST /rank`` compared with the bare ONNX session on prepared arrays.

A real server process ranks N candidates of the log for one user over loopback; each request is followed by a
call of the session in this process, so that both see the same state of the machine.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from ranker.artifact import Artifact, difference, load
from ranker.encoding import Packed
from ranker.engines import OnnxRuntime
from tests.serving.server_process import ready, server_process


def main(
    artifact_path: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="What `ranker-train fit` exported.")],
    data: Annotated[Path, typer.Option(help="The Parquet log that it was trained on.")],
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a request.")] = 500,
    requests: Annotated[int, typer.Option(min=10, help="Requests measured.")] = 200,
    port: Annotated[int, typer.Option(help="Port for the server.")] = 8099,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print; stop if scores differ by more than 1e-5 from those of the SavedModel."""
    artifact = load(artifact_path)
    body = request_of(artifact, data, candidates)
    packed = artifact.encoder.encode({name: [v] for name, v in body["context"].items()}, body["candidates"])
    engine = OnnxRuntime(artifact.model_path)
    worst = difference(engine.score(packed), keras_scores(artifact, packed))
    if worst > 1e-5:
        raise SystemExit(f"error: ONNX and Keras differ by {worst:.2e}")
    url = f"http://127.0.0.1:{port}"
    with server_process(artifact.folder, "--port", port, settings={}, is_up=lambda: ready(url)):
        served, bare = measured(url, json.dumps(body).encode(), engine, packed, requests)
    rows = {"POST /rank": served, "bare session": bare}
    table = Table(title=f"{candidates} candidates, {requests} requests, scores within {worst:.1e} of Keras")
    for column in ("", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for name, times in rows.items():
        table.add_row(name, *(f"{np.quantile(times, q) * 1e3:.2f}" for q in (0.5, 0.99)))
    table.add_row("ratio", *(f"{np.quantile(served, q) / np.quantile(bare, q):.2f}" for q in (0.5, 0.99)))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({name: times.tolist() for name, times in rows.items()}))


def request_of(artifact: Artifact, data: Path, candidates: int) -> dict[str, Any]:
    """The context of the log's last row and the latest distinct candidates."""
    schema = artifact.schema
    if schema.candidate_id is None:
        raise typer.BadParameter("the artifact's schema names no candidate_id")
    table = pq.read_table(data)
    rows = table.slice(max(len(table) - 50 * candidates, 0)).to_pylist()[::-1]
    by_id = {row[schema.column(schema.candidate_id)]: row for row in rows}
    chosen = list(by_id.values())[:candidates]
    return {
        "context": {schema.column(name): rows[0][schema.column(name)] for name in schema.context},
        "candidates": {schema.column(name): [row[schema.column(name)] for row in chosen] for name in schema.candidate},
    }


def keras_scores(artifact: Artifact, packed: Packed) -> np.ndarray[Any, Any]:
    """Scores of the exported SavedModel, which is the Keras model's function."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(artifact.saved_model_path)).signatures["serving_default"]
    inputs = {name: tf.constant(a) for name, a in packed._asdict().items() if a.shape[1]}
    scores: np.ndarray[Any, Any] = signature(**inputs)["scores"].numpy()
    return scores


def measured(
    url: str, body: bytes, engine: OnnxRuntime, packed: Packed, requests: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Seconds of each request and of each bare call, in turn."""
    served, bare = [], []
    with httpx.Client() as client:
        for number in range(requests + 20):
            begun = time.perf_counter()
            client.post(f"{url}/rank", content=body).raise_for_status()
            middle = time.perf_counter()
            engine.score(packed)
            if number >= 20:  # warm-up
                served.append(middle - begun)
                bare.append(time.perf_counter() - middle)
    return np.array(served), np.array(bare)


if __name__ == "__main__":
    typer.run(main)
