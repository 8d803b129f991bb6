"""Gain from precomputing the first layer's item half: the engine's call with and without it.

A prototype on the exported graph. The first layer's output for each item is precomputed into tables, whose rows replace
the products in the graph. It works for models whose first layers read the embedded sides directly (no interaction).
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import onnxruntime
import typer
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from rich.console import Console

from benchmarks.serving_setup import SIZES, artifact_of, request_of


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the artifacts; missing ones are created.")] = Path(
        "runs/serving_peers"
    ),
    candidates: int = 500,
    items: Annotated[int, typer.Option(help="Number of items in the tables.")] = 20_000,
    threads: int = 2,
    calls: int = 200,
) -> None:
    """Time both graphs in turn, and print the ratio of the medians and the size of the tables."""
    console = Console()
    for size in SIZES:
        artifact = artifact_of(size, folder)
        body = request_of(candidates)
        context = {name: [value] for name, value in body["context"].items()}
        packed = artifact.encoder.encode(context, body["candidates"])._asdict()
        model = onnx.load(str(artifact.model_path))
        halves = first_products(model)
        width = sum(columns for _, columns in halves)
        whole = session_of(model, threads)
        rows = np.random.default_rng(0).choice(items, candidates, replace=False).astype(np.int32)
        split = session_of(without_items(model, halves, items, rows, packed), threads)
        short = {name: packed[name] for name in packed if name.startswith("context")}
        sides: dict[str, Callable[[], Any]] = {
            "whole": partial(scored, whole, packed),
            "precomputed": partial(scored, split, {**short, "item_rows": rows}),
        }
        worst = float(np.abs(sides["whole"]() - sides["precomputed"]()).max())
        times: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(calls + 10):
            for name, run in sides.items():
                begun = time.perf_counter()
                run()
                if number >= 10:
                    times[name].append((time.perf_counter() - begun) * 1e3)
        medians = {name: float(np.median(values)) for name, values in times.items()}
        console.print(
            f"{size}: {medians['whole']:.2f} ms, precomputed {medians['precomputed']:.2f} ms: "
            f"{medians['whole'] / medians['precomputed']:.2f} times as fast, scores within {worst:.0e}, "
            f"{width * 4 / 1024:.1f} KiB per item"
        )


def first_products(model: onnx.ModelProto) -> list[tuple[str, int]]:
    """Names of the products of the embedded candidates with a constant, and their numbers of columns."""
    graph = model.graph
    joined = next(n.output[0] for n in graph.node if n.op_type == "Concat" and "candidate_numbers" in n.input)
    constants = {constant.name: list(constant.dims) for constant in graph.initializer}
    found = [n for n in graph.node if n.op_type == "MatMul" and n.input[0] == joined and n.input[1] in constants]
    return [(node.output[0], constants[node.input[1]][1]) for node in found]


def without_items(
    model: onnx.ModelProto, halves: list[tuple[str, int]], items: int, rows: Any, packed: dict[str, Any]
) -> onnx.ModelProto:
    """The graph with tables in place of the products; the tables hold the right rows for the request's items."""
    described = onnx.ModelProto()
    described.CopyFrom(model)
    described.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, columns]) for name, columns in halves
    )
    names = [name for name, _ in halves]
    candidate = {name: array for name, array in packed.items() if name.startswith("candidate")}
    ahead = session_of(Extractor(described).extract_model(list(candidate), names), threads=2)
    values = dict(zip(names, ahead.run(names, candidate), strict=True))
    inputs = [node.name for node in model.graph.input if node.name.startswith("context")]
    rest = Extractor(described).extract_model([*inputs, *names], ["scores"])
    kept = [node for node in rest.graph.input if node.name not in names]
    del rest.graph.input[:]
    rest.graph.input.extend([*kept, helper.make_tensor_value_info("item_rows", TensorProto.INT32, ["candidates"])])
    gathers = []
    for number, (name, columns) in enumerate(halves):
        table = np.zeros((items, columns), np.float32)
        table[rows] = values[name]
        rest.graph.initializer.append(numpy_helper.from_array(table, f"items_{number}"))
        gathers.append(helper.make_node("Gather", [f"items_{number}", "item_rows"], [name]))
    for node in reversed(gathers):
        rest.graph.node.insert(0, node)
    return rest


def scored(session: Any, inputs: Mapping[str, Any]) -> Any:
    """Scores [N, T] of one call."""
    return session.run(["scores"], inputs)[0]


def session_of(model: onnx.ModelProto, threads: int) -> Any:
    """Create a session as the engine does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
    options.add_free_dimension_override_by_name("contexts", 1)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        return onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    typer.run(main)
