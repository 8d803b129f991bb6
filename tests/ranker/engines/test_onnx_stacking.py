"""Graphs written by hand, so that each part of the rewriting can be seen."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from ranker.engines.onnx_captured import CONTEXT_ROWS
from ranker.engines.onnx_context_rows import with_context_rows
from ranker.engines.onnx_stacking import stacked


def graph_of(nodes, constants, outputs=("scores",), width=3):
    inputs = [
        helper.make_tensor_value_info(f"{side}_numbers", TensorProto.FLOAT, [f"{side}s", width])
        for side in ("context", "candidate")
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", None]) for name in outputs]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes], "graph", inputs, results, tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model, **feed):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feed)


def kinds(model):
    return [node.op_type for node in model.graph.node]


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def experts(random):
    """Three experts of two layers, and a gate that mixes them: the last is named first."""
    kernels = {f"w{i}": random.normal(size=(3, 4)).astype(np.float32) for i in range(3)}
    kernels |= {f"v{i}": random.normal(size=(4, 2)).astype(np.float32) for i in range(3)}
    kernels |= {f"b{i}": random.normal(size=4).astype(np.float32) for i in range(3)}
    kernels["gate"] = random.normal(size=(3, 3)).astype(np.float32)
    nodes = [("MatMul", ["candidate_numbers", "gate"], ["g"], {}), ("Softmax", ["g"], ["p"], {"axis": -1})]
    nodes.append(("Split", ["p"], ["p0", "p1", "p2"], {"axis": 1}))
    for i in (2, 0, 1):
        nodes += [
            ("MatMul", ["candidate_numbers", f"w{i}"], [f"m{i}"], {}),
            ("Add", [f"m{i}", f"b{i}"], [f"a{i}"], {}),
            ("Relu", [f"a{i}"], [f"r{i}"], {}),
            ("MatMul", [f"r{i}", f"v{i}"], [f"o{i}"], {}),
            ("Mul", [f"p{i}", f"o{i}"], [f"x{i}"], {}),
        ]
    nodes.append(("Sum", ["x0", "x1", "x2"], ["scores"], {}))
    return graph_of(nodes, kernels)


def test_experts_become_one_batch_and_the_result_stays(experts, random):
    numbers = random.normal(size=(5, 3)).astype(np.float32)
    short = stacked(experts)
    assert len(experts.graph.node) == 19
    assert kinds(short).count("MatMul") == 3  # the gate, and each layer of the experts once
    assert [kinds(short).count(kind) for kind in ("Add", "Relu")] == [1, 1]
    feed = {"candidate_numbers": numbers, "context_numbers": numbers[:1]}
    np.testing.assert_allclose(run(short, **feed)[0], run(experts, **feed)[0], atol=1e-6)
    assert [value.name for value in short.graph.input] == [value.name for value in experts.graph.input]


def test_different_shapes_activations_and_settings_stay_apart(random):
    kernels = {"a": (3, 4), "b": (3, 5), "c": (3, 4), "d": (3, 4)}
    constants = {name: random.normal(size=shape).astype(np.float32) for name, shape in kernels.items()}
    constants |= {"low": np.float32(-1), "high": np.float32(1), "higher": np.float32(2)}
    nodes = [("MatMul", ["candidate_numbers", name], [f"m{name}"], {}) for name in kernels]
    nodes += [("Clip", ["ma", "low", "high"], ["xa"], {}), ("Tanh", ["mb"], ["xb"], {})]
    nodes += [("Clip", ["mc", "low", "higher"], ["xc"], {}), ("Softmax", ["md"], ["xd"], {"axis": 1})]
    model = graph_of(nodes, constants, ["xa", "xb", "xc", "xd"])
    short = stacked(model)
    assert kinds(short).count("MatMul") == 2
    assert kinds(short).count("Clip") == 2
    feed = {
        "candidate_numbers": random.normal(size=(6, 3)).astype(np.float32),
        "context_numbers": np.zeros((1, 3), "f4"),
    }
    for one, other in zip(run(short, **feed), run(model, **feed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_each_candidate_reads_its_own_context(random):
    constants = {"w": random.normal(size=(3, 4)).astype(np.float32), "v": random.normal(size=(3, 4)).astype(np.float32)}
    nodes = [
        ("MatMul", ["context_numbers", "w"], ["c"], {}),
        ("MatMul", ["candidate_numbers", "v"], ["d"], {}),
        ("Shape", ["c"], ["rows"], {}),
        ("Shape", ["d"], ["more"], {}),
        ("Max", ["rows", "more"], ["size"], {}),
        ("Expand", ["c", "size"], ["e"], {}),
        ("Add", ["e", "d"], ["scores"], {}),
    ]
    model = graph_of(nodes, constants)
    merged = with_context_rows(model)
    contexts, candidates = (random.normal(size=(count, 3)).astype(np.float32) for count in (2, 5))
    rows = np.array([1, 0, 0, 1, 1])
    feed = {"context_numbers": contexts, "candidate_numbers": candidates, CONTEXT_ROWS: rows}
    (scores,) = run(merged, **feed)
    np.testing.assert_allclose(scores, (contexts @ constants["w"])[rows] + candidates @ constants["v"], rtol=1e-5)
    (first,) = (node for node in merged.graph.node if node.output[0] == "c")
    assert first.input[0] == "context_numbers"  # computed for each context, not for each candidate
    onnx.checker.check_model(merged, full_check=True)


def test_constants_and_axes_that_groups_share_or_leave_out(random):
    """Two groups begin with the same bias; Gather and Split read their default axis, the rows."""
    constants = {f"w{i}": random.normal(size=(3, 3)).astype(np.float32) for i in range(4)}
    constants |= {name: random.normal(size=3).astype(np.float32) for name in ("b1", "b2")}
    constants |= {"zero": np.zeros(3, np.float32), "first": np.array([1, 0])}
    nodes = [("MatMul", ["candidate_numbers", f"w{i}"], [f"h{i}"], {}) for i in (0, 1)]
    nodes += [("Add", ["h0", "zero"], ["a0"], {}), ("Add", ["h1", "b1"], ["a1"], {})]
    nodes += [("MatMul", [f"a{i}", f"w{i + 2}"], [f"i{i}"], {}) for i in (0, 1)]
    nodes += [("Add", ["i0", "zero"], ["y0"], {}), ("Add", ["i1", "b2"], ["y1"], {})]
    nodes += [("Gather", [f"y{i}", "first"], [f"g{i}"], {}) for i in (0, 1)]
    nodes += [("Split", [f"g{i}"], [f"s{i}0", f"s{i}1"], {}) for i in (0, 1)]
    model = graph_of(nodes, constants, ["y0", "y1", "g0", "g1", "s00", "s01", "s10", "s11"])
    short = stacked(model)
    assert kinds(short).count("MatMul") == 2
    feed = {
        "candidate_numbers": random.normal(size=(6, 3)).astype(np.float32),
        "context_numbers": np.zeros((1, 3), "f4"),
    }
    for one, other in zip(run(short, **feed), run(model, **feed), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
