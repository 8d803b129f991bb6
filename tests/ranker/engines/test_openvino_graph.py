"""Rewritten graphs calculate what they did, by other operations."""

from collections import Counter

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from ranker.engines.openvino_graph import FEW, NARROW, SHORT_ROW, rewrite

ROWS = 37


def kinds(graph):
    return Counter(node.get_type_name() for node in graph.get_ordered_ops())


def scored(graph, *arrays):
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = openvino.Core().compile_model(graph, "CPU", options).create_infer_request()
    return [np.array(value) for value in request.infer(list(arrays)).values()]


def graph_of(outputs, inputs):
    return openvino.Model([operations.result(output) for output in outputs], inputs)


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def gathered(width, axis=0):
    places = operations.parameter([-1, 5], np.int32)
    table = operations.constant(numbers(50, width))
    return graph_of([operations.gather(table, places, operations.constant(axis))], [places])


@pytest.mark.parametrize(("width", "kind"), [(1, "GatherND"), (SHORT_ROW, "GatherND"), (SHORT_ROW + 1, "Gather")])
def test_short_table_rows_are_gathered_with_gather_nd(width, kind):
    graph = gathered(width)
    places = np.random.default_rng(1).integers(0, 50, (ROWS, 5)).astype(np.int32)
    (before,) = scored(graph, places)
    rewrite(graph, operations)
    assert kinds(graph)[kind] == 1
    np.testing.assert_array_equal(scored(graph, places)[0], before)


def test_a_gather_of_table_columns_is_not_rewritten():
    graph = gathered(8, axis=1)
    places = np.random.default_rng(1).integers(0, 8, (ROWS, 5)).astype(np.int32)
    (before,) = scored(graph, places)
    rewrite(graph, operations)
    assert kinds(graph)["Gather"] == 1
    np.testing.assert_array_equal(scored(graph, places)[0], before)


@pytest.mark.parametrize(("width", "axis", "turned"), [(2, 1, 2), (FEW, -1, 2), (FEW + 1, 1, 0), (3, 0, 0)])
def test_softmax_over_few_columns_is_transposed(width, axis, turned):
    logits = operations.parameter([-1, width], np.float32)
    graph = graph_of([operations.softmax(logits, axis)], [logits])
    values = 50 * numbers(ROWS, width)  # exponents that overflow unless the largest is subtracted
    (before,) = scored(graph, values)
    rewrite(graph, operations)
    assert kinds(graph)["Transpose"] == turned
    np.testing.assert_allclose(scored(graph, values)[0], before, atol=1e-6)


def test_narrow_products_of_one_input_are_joined():
    inputs = operations.parameter([-1, 20], np.float32)
    matrices = [numbers(20, width) for width in (3, NARROW, 1)]
    outputs = [operations.matmul(inputs, operations.constant(matrix), False, False) for matrix in matrices]
    wide = operations.matmul(inputs, operations.constant(numbers(20, NARROW + 1)), False, False)
    turned = operations.matmul(inputs, operations.constant(numbers(4, 20)), False, True)
    graph = graph_of([*outputs, wide, turned], [inputs])
    values = numbers(ROWS, 20)
    before = scored(graph, values)
    rewrite(graph, operations)
    assert kinds(graph)["MatMul"] == 3
    after = scored(graph, values)
    assert [output.shape[1] for output in after] == [3, NARROW, 1, NARROW + 1, 4]
    for was, is_now in zip(before, after, strict=True):
        np.testing.assert_allclose(is_now, was, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shape", "values"), [([-1, 16, 6], (5, 16, 6)), ([-1, -1, 6], (5, 9, 6)), ([6], (6,))])
def test_products_of_inputs_that_are_not_matrices_are_not_joined(shape, values):
    inputs = operations.parameter(shape, np.float32)
    products = [operations.matmul(inputs, operations.constant(numbers(6, 8) + i), False, False) for i in range(2)]
    graph = graph_of(products, [inputs])
    before = scored(graph, numbers(*values))
    rewrite(graph, operations)
    assert kinds(graph)["MatMul"] == 2
    for was, is_now in zip(before, scored(graph, numbers(*values)), strict=True):
        np.testing.assert_array_equal(is_now, was)


def test_graphs_of_unknown_rank_are_not_rewritten():
    logits, places = operations.parameter(openvino.PartialShape.dynamic()), operations.parameter([-1], np.int32)
    table = operations.parameter(openvino.PartialShape.dynamic())
    outputs = [operations.gather(table, places, operations.constant(0)), operations.softmax(logits, 1)]
    graph = graph_of(outputs, [logits, places, table])
    rewrite(graph, operations)
    assert (kinds(graph)["Gather"], kinds(graph)["Transpose"]) == (1, 0)


def test_products_of_different_inputs_or_computed_matrices_are_not_joined():
    one, other, matrix = (operations.parameter([-1, 6], np.float32) for _ in range(3))
    fixed = operations.constant(numbers(6, 2))
    outputs = [operations.matmul(value, fixed, False, False) for value in (one, other)]
    outputs += [operations.matmul(one, matrix, False, True) for _ in range(2)]
    graph = graph_of(outputs, [one, other, matrix])
    rewrite(graph, operations)
    assert kinds(graph)["MatMul"] == 4
