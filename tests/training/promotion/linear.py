"""Versions with linear models, trained in a moment: real encoders, ONNX graphs and config; and a log for them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ranker.artifact import Artifact, Golden, load, new_version, seal, write_parts
from ranker.encoding import EncoderFitter, Packed, encode_labels
from ranker.engines import OnnxRuntime
from ranker.fusion import DEFAULT, FusionOptions, StoredFusion, plan_for
from ranker.metrics import spread
from training.config.experiment import checked

Floats = NDArray[np.float64]
CONFIG: Mapping[str, Any] = {
    "data": {"split": {"by": "time", "column": "day", "last": 1}},
    "schema": {
        "candidate_id": "item",
        "context": {"age": {"kind": "numeric"}},
        "candidate": {
            "item": {"kind": "categorical", "dimension": 2},
            "price": {"kind": "numeric"},
            "length": {"kind": "numeric"},
        },
        "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}},
    },
    "architecture": {"name": "shared_bottom", "bottom": [4]},
    "evaluation": {"group_by": "request", "bootstrap": 0},
    "fusion": {"name": "additive"},
}
NUMBERS = ("context_numbers", "candidate_numbers")


def simulated(requests: int, seed: int, day: int = 0) -> pd.DataFrame:
    """Requests of 6 to 14 candidates; a click depends on price and age, a like on length."""
    random = np.random.default_rng(seed)
    request = np.repeat(np.arange(requests), random.integers(6, 15, requests))
    rows = len(request)
    age = random.normal(size=requests)[request]
    price, length = random.normal(size=(2, rows))
    return pd.DataFrame(
        {
            "request": request + 1_000_000 * day,
            "day": day,
            "tab": np.array(["home", "search", "shop", "rare"])[random.choice(4, rows, p=[0.6, 0.25, 0.14, 0.01])],
            "item": random.integers(0, 50, rows),
            "age": age,
            "price": price,
            "length": length,
            "click": random.random(rows) < sigmoid(-1.0 - 1.0 * price + 0.5 * age),
            "like": random.random(rows) < sigmoid(-2.0 + 1.2 * length),
        }
    ).astype({"click": int, "like": int})


def sigmoid(logits: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-logits))


def fitted(
    root: Path,
    frame: pd.DataFrame,
    seed: int = 0,
    change: Callable[[Floats, Floats], object] | None = None,
    finish: str | None = None,
    **config: Any,
) -> Artifact:
    """The next version below ``root``: logistic regressions by gradient descent on a part of the rows.

    ``seed`` draws the part and the initial weights. ``change`` edits the kernel [inputs, T] and bias [T] in place.
    ``finish`` is an ONNX operator on the scores and a vector of ones [T], such as ``Mul``.
    """
    experiment = checked({**CONFIG, **config})
    schema = experiment.log_schema
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    labels = encode_labels(schema, columns)
    fitter = EncoderFitter(schema)
    fitter.add(columns, labels.values, labels.known, np.zeros(len(frame), dtype=np.int64))
    encoder = fitter.fitted()
    packed = encoder.encode(columns, columns)
    kernel, bias = _trained(_inputs(packed), labels.values, np.random.default_rng(seed))
    if change is not None:
        change(kernel, bias)
    context = {name: frame[name].iloc[0].item() for name in schema.context}
    candidates = {schema.column(name): frame[schema.column(name)][:8].tolist() for name in schema.candidate}
    plans = {DEFAULT: plan_for(schema, StoredFusion(options=FusionOptions.model_validate(experiment.fusion)))}
    with new_version(root) as folder:
        onnx.save_model(_graph(packed, kernel, bias, finish), str(folder / "model.onnx"))
        scores = OnnxRuntime(folder / "model.onnx").score(
            encoder.encode({name: [value] for name, value in context.items()}, candidates)
        )
        by_task = {task: np.nan_to_num(scores[:, i]).tolist() for i, task in enumerate(schema.tasks)}
        golden = Golden(context=context, candidates=candidates, scores=by_task)
        write_parts(folder, encoder, plans, (golden,), {t: spread(np.arange(20.0)) for t in schema.tasks})
        facts: dict[str, Any] = {"created": datetime.now(UTC), "tasks": list(schema.tasks), "packages": {}}
        facts |= {"schema": schema.model_dump(mode="json"), "metrics": {"tasks": {}}}
        seal(folder, root, {**facts, "experiment": experiment.model_dump(mode="json", by_alias=True)})
    return load(root)


def _inputs(packed: Packed) -> Floats:
    sides = packed.context_numbers, packed.candidate_numbers
    return np.concatenate(sides, axis=1).astype(np.float64)


def _trained(inputs: Floats, labels: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    part = random.random(len(inputs)) < 0.8
    kernel = random.normal(scale=0.1, size=(inputs.shape[1], labels.shape[1]))
    bias = np.zeros(labels.shape[1])
    for _ in range(200):
        error = sigmoid(inputs[part] @ kernel + bias) - labels[part]
        kernel -= 1.0 * inputs[part].T @ error / part.sum()
        bias -= 1.0 * error.mean(axis=0)
    return kernel, bias


def _graph(packed: Packed, kernel: Floats, bias: Floats, finish: str | None) -> onnx.ModelProto:
    """Sigmoids of both sides' numbers times the kernel; a context of one row serves all candidates."""
    inputs, nodes, weights, sums = [], [], [numpy_helper.from_array(bias.astype(np.float32), "bias")], ["bias"]
    start = 0
    for name in NUMBERS:
        width = getattr(packed, name).shape[1]
        if not width:
            continue
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]))
        part = kernel[start : start + width].astype(np.float32)
        weights.append(numpy_helper.from_array(part, f"{name}_kernel"))
        nodes.append(helper.make_node("MatMul", [name, f"{name}_kernel"], [f"{name}_sum"]))
        sums.append(f"{name}_sum")
        start += width
    nodes.append(helper.make_node("Sum", sums, ["logits"]))
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["rates" if finish else "scores"]))
    if finish:
        weights.append(numpy_helper.from_array(np.ones(len(bias), np.float32), "ones"))
        nodes.append(helper.make_node(finish, ["rates", "ones"], ["scores"]))
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, len(bias)])
    made = helper.make_model(
        helper.make_graph(nodes, "linear", inputs, [output], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    made.ir_version = 8
    return made
