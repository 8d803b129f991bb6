"""Artifacts with a small ONNX graph made by hand."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ranker.artifact import (
    Artifact,
    Golden,
    fusion_digest,
    load,
    new_version,
    seal,
    with_student,
    write_parts,
)
from ranker.encoding import EncoderFitter, encode_labels
from ranker.encoding.within_list import ListInputs
from ranker.engines import OnnxRuntime
from ranker.fusion import DEFAULT, FusionOptions, FusionState, StoredFusion, plan_for
from ranker.metrics import spread
from ranker.schema import Schema
from ranker.student import Agreement, FusionAgreement, Point, Student
from tests.ranker.conftest import columns_of, schema_of

ROWS = 60


def graph(layout, breaks: bool = False, noise: float = 0.0) -> onnx.ModelProto:
    """Scores [N, 3]: sigmoids of weighted sums of the ids (each put in range) and numbers of both sides.

    ``noise`` times random numbers are added to the weights, as for a student that is not exact.

    One that ``breaks`` looks up a row that is not there as soon as a candidate's number is above 10,000.
    """
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
        kernel += (noise * scale * np.random.default_rng(width).normal(size=kernel.shape)).astype(np.float32)
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
    if breaks:
        nodes[-1].output[0] = "sound"
        weights.append(numpy_helper.from_array(np.full((), 1e4, np.float32), "limit"))
        weights.append(numpy_helper.from_array(np.zeros((1, 1), np.float32), "table"))
        nodes += [
            helper.make_node("ReduceMax", ["candidate_numbers"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "limit"], ["above"]),
            helper.make_node("Cast", ["above"], ["row"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "row"], ["looked_up"], axis=0),
            helper.make_node("Add", ["sound", "looked_up"], ["scores"]),
        ]
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


def written(
    root: Path,
    change_scores: float = 0.0,
    fusion: Any = None,
    state: Any = None,
    schema: Schema | None = None,
    columns: Any = None,
    breaks: bool = False,
    **more: Any,
) -> Artifact:
    schema, columns = schema or schema_of(), columns or columns_of(ROWS)
    labels = encode_labels(schema, columns)
    fitter, lists = EncoderFitter(schema), ListInputs.of_schema(schema)
    if lists is not None:  # rows of equal list_by are consecutive
        starts = np.flatnonzero(np.diff(columns[lists.list_by[0]], prepend=-1))
        columns = {**columns, **lists.within(lists.values(columns, ROWS), starts)}
    fitter.add(columns, labels.values, labels.known, np.arange(ROWS) % 4)
    encoder = fitter.fitted()
    names = {side: list(dict.fromkeys(map(schema.column, getattr(schema, side)))) for side in ("context", "candidate")}
    context = {name: values[0] for name, values in plain(columns, names["context"], [0]).items()}
    candidates = plain(columns, names["candidate"], range(20))
    with new_version(root) as folder:
        onnx.save_model(graph(encoder.layout, breaks), str(folder / "model.onnx"))
        packed = encoder.encode_request({name: [value] for name, value in context.items()}, candidates)
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


def with_noisy_student(
    artifact: Artifact, root: Path, noise: float = 0.1, ndcg: float = 1.0, change_scores: float = 0.0
) -> Artifact:
    """The next version below ``root``, with a student whose weights differ a little, and whose agreement is said."""
    measured = {name: FusionAgreement(fusion=fusion_digest(p), ndcg=ndcg) for name, p in artifact.fusions.items()}
    point = Point(share=0.25, kept=0.25, ndcg=ndcg, recall=1.0, regret=0.0, cost=0.4)
    agreement = Agreement(lists="sampled", count=1, candidates=200, points=(point,))
    model = graph(artifact.encoder.layout, noise=noise)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "small.onnx"
        onnx.save_model(model, str(file))
        engine, golden = OnnxRuntime(file), []
        for request in artifact.golden:
            context = {name: [value] for name, value in request.context.items()}
            scores = engine.score(artifact.encoder.encode_request(context, request.candidates)) + change_scores
            golden.append(dict(zip(artifact.manifest.tasks, scores.T.tolist(), strict=True)))
        student = Student(
            created=datetime.now(UTC), keep=0.25, min_ndcg=0.999, fusions=measured, agreement=(agreement,),
            golden=tuple(golden), config={},
        )  # fmt: skip
        return with_student(artifact, student, file, root)


def shop_log() -> dict[str, Any]:
    """Items with names instead of numbers, lists as lists, and statistics of both sides' features together."""
    columns = columns_of(ROWS)
    random = np.random.default_rng(5)
    columns["sku"] = np.array([None if i == 7 else f"sku-{i % 11:04d}-é" for i in range(ROWS)], dtype=object)
    columns["shelf"] = [None if random.random() < 0.2 else int(random.integers(0, 4)) for _ in range(ROWS)]
    columns["tags"] = [["red", "blue", "größer"][: i % 4] if i % 5 else None for i in range(ROWS)]
    columns["similar"] = [[f"sku-{i % 11:04d}-é", None][: i % 3] for i in range(ROWS)]
    columns["history"] = columns["similar"]
    columns["vector"] = [None if i % 6 == 0 else random.normal(size=3).tolist() for i in range(ROWS)]
    schema = schema_of(
        candidate_id="sku",
        context={
            "user": {"kind": "categorical", "dimension": 4},
            "city": {"kind": "categorical", "dimension": 4},
            "age": {"kind": "numeric"},
            "history": {"kind": "sequence", "shares": "sku", "max_length": 3},
        },
        candidate={
            "sku": {"kind": "categorical", "dimension": 4},
            "shelf": {"kind": "categorical", "dimension": 4, "hash_buckets": 7},
            "tags": {"kind": "multi", "max_length": 2, "dimension": 2},
            "similar": {"kind": "sequence", "shares": "sku", "max_length": 3},
            "length": {"kind": "numeric", "transform": "log1p"},
            "vector": {"kind": "dense", "size": 3},
        },
        label_statistics={"of": ["user", "sku", ["user", "sku"], ["city", "shelf", "sku"]], "folds": 4},
    )
    return {"schema": schema, "columns": columns}
