"""Rewrite operations that OpenVINO runs slowly into equivalent ones with faster kernels.

Unlike image and language models, a ranking model has embedding rows of few bytes, gates over few experts, and many
matrix products of few columns. Times are for 500 candidates on one core.
"""

from collections import defaultdict
from typing import Any

import numpy as np

SHORT_ROW = 16
"""Longest row, in floats, that ``Gather`` copies elementwise, 40 ns per row; ``GatherND`` copies whole rows in 5 ns."""
FEW = 8
"""Columns up to which ``Softmax`` is faster along the first axis: 8 us per gate with both transposes, 25 without."""
NARROW = 16
"""A matrix product of fewer columns costs as much as one of this many."""


def rewrite(graph: Any, operations: Any) -> None:
    """Rewrite a dynamic graph in place; ``operations`` is a module of OpenVINO operations."""
    for change in (_copy_rows, _turn_softmaxes, _join_products):
        change(graph, operations)
    graph.validate_nodes_and_infer_types()


def _copy_rows(graph: Any, operations: Any) -> None:
    """Gather tables by whole rows."""
    for node in _all(graph, "Gather"):
        table, places, axis = node.input_values()
        if 0 < _columns(table) <= SHORT_ROW and _constant(table) is not None and _constant(axis) == 0:
            indices = operations.unsqueeze(places, operations.constant(-1))
            _replace(node, operations.gather_nd(table, indices))


def _turn_softmaxes(graph: Any, operations: Any) -> None:
    """Transpose softmaxes over few columns, to vectorise over candidates."""
    for node in _all(graph, "Softmax"):
        if 0 < _columns(node.output(0)) <= FEW and node.get_attributes()["axis"] in (1, -1):
            turned = operations.softmax(_transposed(node.input_value(0), operations), 0)
            _replace(node, _transposed(turned, operations))


def _join_products(graph: Any, operations: Any) -> None:
    """Merge products of one input with several narrow matrices into one."""
    alike = defaultdict(list)
    for node in _all(graph, "MatMul"):
        matrix = _constant(node.input_value(1))
        plain = not any(node.get_attributes()[name] for name in ("transpose_a", "transpose_b"))
        source = node.input_value(0)
        if plain and matrix is not None and matrix.ndim == 2 and matrix.shape[1] <= NARROW and _columns(source):
            alike[source.get_node().get_name(), source.get_index()].append((node, matrix))
    for group in alike.values():
        if len(group) > 1:
            nodes, matrices = zip(*group, strict=True)
            joined = operations.constant(np.concatenate(matrices, axis=1))
            product = operations.matmul(nodes[0].input_value(0), joined, False, False)
            widths = operations.constant(np.array([matrix.shape[1] for matrix in matrices]))
            parts = operations.variadic_split(product, operations.constant(1), widths)
            for place, node in enumerate(nodes):
                node.output(0).replace(parts.output(place))


def _all(graph: Any, kind: str) -> list[Any]:
    return [node for node in graph.get_ordered_ops() if node.get_type_name() == kind]


def _columns(value: Any) -> int:
    """Columns of a matrix; 0 if it is not a matrix or the number is dynamic."""
    shape = value.get_partial_shape()
    is_matrix = shape.rank.is_static and len(shape) == 2 and shape[1].is_static
    return shape[1].get_length() if is_matrix else 0


def _constant(value: Any) -> Any:
    """The array of a constant; ``None`` for a computed value."""
    node = value.get_node()
    return node.data if node.get_type_name() == "Constant" else None


def _transposed(value: Any, operations: Any) -> Any:
    return operations.transpose(value, operations.constant(np.array([1, 0])))


def _replace(node: Any, other: Any) -> None:
    node.output(0).replace(other.output(0))
