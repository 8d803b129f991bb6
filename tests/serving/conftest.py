"""An artifact with a small ONNX graph made by hand, and a real server over it."""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ranker.artifact import Artifact, Golden, load, new_version, seal, write_parts
from ranker.encoding import EncoderFitter, encode_labels
from ranker.fusion import DEFAULT, FusionOptions, FusionState, StoredFusion, plan_for
from ranker.metrics import spread
from serving.runtime import OnnxRuntime
from tests.ranker.conftest import columns_of, schema_of
from tests.serving.asking import patiently

ROWS = 60
CONTEXT, CANDIDATE = ("user", "city", "age", "history"), ("item", "tags", "length", "vector")


def graph(layout) -> onnx.ModelProto:
    """Scores [N, 3]: sigmoids of weighted sums of the ids (each put in range) and numbers of both sides."""
    random = np.random.default_rng(0)
    names = ("context_ids", "context_numbers", "candidate_ids", "candidate_numbers")
    inputs, nodes, weights, sums = [], [], [], []
    for name, width in zip(names, layout.widths(), strict=True):
        is_ids = name.endswith("ids")
        inputs.append(
            helper.make_tensor_value_info(name, TensorProto.INT32 if is_ids else TensorProto.FLOAT, [None, width])
        )
        nodes.append(helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT))
        scale = 0.05 if is_ids else 0.2
        kernel = random.normal(scale=scale, size=(width, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{name}_kernel"))
        nodes.append(helper.make_node("MatMul", [f"{name}_float", f"{name}_kernel"], [f"{name}_sum"]))
        sums.append(f"{name}_sum")
    nodes += [helper.make_node("Sum", sums, ["logits"]), helper.make_node("Sigmoid", ["logits"], ["rates"])]
    # A logit times zero is zero, or, where it overflowed, no number: as real networks give for wild inputs.
    weights.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    weights.append(numpy_helper.from_array(np.full(1, 1e6, np.float32), "large"))
    nodes.append(helper.make_node("Mul", ["logits", "large"], ["wild"]))
    nodes.append(helper.make_node("Mul", ["wild", "zero"], ["nothing"]))
    nodes.append(helper.make_node("Add", ["rates", "nothing"], ["scores"]))
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 3])
    made = helper.make_model(
        helper.make_graph(nodes, "test", inputs, [output], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    made.ir_version = 8
    return made


def plain(columns, names, rows) -> dict:
    def value(v):
        v = v.tolist() if hasattr(v, "tolist") else v
        return None if isinstance(v, float) and v != v else v

    return {name: [value(columns[name][i]) for i in rows] for name in names}


def written(root: Path, change_scores: float = 0.0, fusion: Any = None, state: Any = None, **more: Any) -> Artifact:
    schema, columns = schema_of(), columns_of(ROWS)
    labels = encode_labels(schema, columns)
    fitter = EncoderFitter(schema)
    fitter.add(columns, labels.values, labels.known, np.arange(ROWS) % 4)
    encoder = fitter.fitted()
    context = {name: values[0] for name, values in plain(columns, CONTEXT, [0]).items()}
    candidates = plain(columns, CANDIDATE, range(20))
    with new_version(root) as folder:
        onnx.save_model(graph(encoder.layout), str(folder / "model.onnx"))
        packed = encoder.encode({name: [value] for name, value in context.items()}, candidates)
        scores = OnnxRuntime(folder / "model.onnx").score(packed)
        golden = Golden(
            context=context,
            candidates=candidates,
            scores={task: (scores[:, i] + change_scores).tolist() for i, task in enumerate(schema.tasks)},
        )
        options = FusionOptions.model_validate(fusion or {"parameters": {"share": {"buy": 2.0}}})
        plan = plan_for(schema, StoredFusion(options=options, state=FusionState.model_validate(state or {})))
        others = {name: plan_for(schema, StoredFusion.model_validate(other)) for name, other in more.items()}
        spreads = {task: spread(scores[:, i]) for i, task in enumerate(schema.tasks)}
        write_parts(folder, encoder, {DEFAULT: plan, **others}, (golden,), spreads)
        facts = {"created": datetime.now(UTC), "tasks": list(schema.tasks), "schema": schema.model_dump(mode="json")}
        seal(folder, root, {**facts, "metrics": {"tasks": {}}, "experiment": {}, "packages": {}})
    return load(root)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Artifact:
    return written(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def write_artifact() -> Callable[..., Artifact]:
    return written


@pytest.fixture(scope="session")
def body(artifact) -> dict:
    return {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates}


@dataclass
class Server:
    """A server process of the command line, and what it has logged."""

    url: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def log(self) -> list[dict[str, Any]]:
        """Lines of its log."""
        self.errors.seek(0)
        return [json.loads(line) for line in self.errors.read().splitlines()]


def free_port() -> int:
    """A port outside of those that the system gives to connections, any of which could take it before the server."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def ready(url: str) -> bool:
    return httpx.get(f"{url}/health/ready").status_code == 200


@contextmanager
def server(*arguments: object, **settings: object) -> Iterator[Server]:
    """A server that is ready; ``settings`` are put into its environment."""
    port = free_port()
    command = [sys.executable, "-c", "from serving.cli import app; app()", *map(str, arguments), "--port", str(port)]
    given = {f"RANKER_SERVE_{name.upper()}": str(value) for name, value in {"drain": 0, **settings}.items()}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env={**os.environ, **given}, stderr=errors, stdout=subprocess.DEVNULL)
        running = Server(f"http://127.0.0.1:{port}", process, errors)
        try:
            patiently(lambda: process.poll() is not None or ready(running.url))
            assert process.poll() is None, running.log()
            yield running
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def serving(*arguments: object, **settings: object) -> Iterator[str]:
    """The address of such a server."""
    with server(*arguments, **settings) as running:
        yield running.url


@pytest.fixture(scope="session")
def url(artifact) -> Iterator[str]:
    with serving(artifact.folder, "--max-candidates", 100) as address:
        yield address
