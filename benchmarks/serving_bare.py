"""The bare engine on prepared arrays, and only the matrix products of its graph, in a separate process.

Each line of standard input is a task (``side``, ``calls``), each line of standard output the milliseconds of each call.
The floor is every product of the graph with a constant, in the same shapes, by NumPy's BLAS: the same arithmetic
without anything around it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import orjson
import typer
from threadpoolctl import threadpool_limits

from benchmarks.serving_setup import request_of
from ranker.artifact import Artifact, load
from ranker.engines import EngineOptions, engine_of


def products_of(model: Path, candidates: int) -> list[tuple[int, int, int]]:
    """Rows, depth and columns of each product with a constant, for one context and ``candidates`` candidates."""
    graph = onnx.load(str(model))
    for node in graph.graph.input:
        rows = 1 if node.name.startswith("context") else candidates
        node.type.tensor_type.shape.dim[0].dim_value = rows
    graph = onnx.shape_inference.infer_shapes(graph)
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.value_info, *graph.graph.input)
    }
    constants = {constant.name: list(constant.dims) for constant in graph.graph.initializer}
    found = []
    for node in graph.graph.node:
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants:
            depth, columns = constants[node.input[1]]
            found.append((shapes[node.input[0]][0], depth, columns))
    return found


def floor_of(products: list[tuple[int, int, int]]) -> Callable[[], Any]:
    """Compute the products, on arbitrary numbers, into preallocated memory."""
    random = np.random.default_rng(0)
    prepared = [
        (
            random.normal(size=(n, k)).astype(np.float32),
            random.normal(size=(k, m)).astype(np.float32),
            np.empty((n, m), np.float32),
        )
        for n, k, m in products
    ]

    def run() -> None:
        for left, right, out in prepared:
            np.matmul(left, right, out=out)

    return run


def bare(artifact: Artifact, engine: str, candidates: int, threads: int) -> Callable[[], Any]:
    """One call of an engine on packed arrays."""
    body = request_of(candidates)
    packed = artifact.encoder.encode({name: [v] for name, v in body["context"].items()}, body["candidates"])
    loaded = engine_of(engine, artifact.model_path, EngineOptions(threads=threads))
    return lambda: loaded.score(packed)


def main(
    artifact_path: Annotated[Path, typer.Argument(metavar="ARTIFACT")],
    engines: Annotated[list[str], typer.Option("--engine")],
    candidates: int = 500,
    threads: int = 2,
) -> None:
    """Answer tasks until standard input ends; the first line out is the graph's number of operations."""
    artifact = load(artifact_path)
    products = products_of(artifact.model_path, candidates)
    sides = {"floor": floor_of(products), **{name: bare(artifact, name, candidates, threads) for name in engines}}
    with threadpool_limits(threads):
        for run in sides.values():
            for _ in range(5):
                run()
        print(sum(2 * n * k * m for n, k, m in products), flush=True)
        for line in sys.stdin:
            task = orjson.loads(line)
            run, milliseconds = sides[task["side"]], []
            for _ in range(task["calls"]):
                begun = time.perf_counter()
                run()
                milliseconds.append((time.perf_counter() - begun) * 1e3)
            print(orjson.dumps(milliseconds).decode(), flush=True)


if __name__ == "__main__":
    typer.run(main)
