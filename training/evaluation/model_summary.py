"""Summarises a model's blocks: shapes, parameters, and FLOPs per request and per candidate."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks  # hooks into eager operations to count FLOPs

from ranker.model import RankingModel

FEW, MANY = 64, 128


@dataclass(frozen=True)
class Block:
    """One layer, or the whole model at depth 0.

    ``shape`` is the last dimension of each output. ``flops_per_request`` is the cost independent of the number of
    candidates, ``flops_per_candidate`` the cost of each candidate; a multiply-add counts as two.
    """

    path: str
    depth: int
    kind: str
    shape: str
    parameters: int
    flops_per_request: int
    flops_per_candidate: int


def blocks(model: RankingModel, depth: int = 3) -> list[Block]:
    """The model's layers down to a depth, parents first. Runs the model twice on zeros to count FLOPs."""
    layers = list(_layers(model, depth))
    few, many = _counted(model, layers, FEW), _counted(model, layers, MANY)
    summary = []
    for path, level, layer in layers:
        per_candidate = (many.flops[path] - few.flops[path]) / (MANY - FEW)
        summary.append(
            Block(
                path=path,
                depth=level,
                kind=type(layer).__name__.lstrip("_"),
                shape=few.shapes.get(path, ""),
                parameters=sum(int(np.prod(v.shape)) for v in layer.trainable_variables),
                flops_per_request=round(few.flops[path] - FEW * per_candidate),
                flops_per_candidate=round(per_candidate),
            )
        )
    return summary


def dense_parameters(model: RankingModel) -> int:
    """Trainable parameters outside the embedding tables."""
    tables = sum(int(np.prod(table.shape)) for table in model.embedding.tables.values())
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables) - tables


def _layers(model: RankingModel, depth: int) -> Iterator[tuple[str, int, tf.keras.layers.Layer]]:
    yield "model", 0, model
    architecture = model.architecture
    top = [("embedding", model.embedding)]
    top += [(f"interaction{i or ''}", layer) for i, layer in enumerate(model.interactions)]
    top += [("trunk", architecture.trunk), *((head.name, head) for head in architecture.heads)]
    for name, layer in top:
        yield from _walk(name, layer, 1, depth)


def _walk(path: str, layer: tf.keras.layers.Layer, level: int, depth: int) -> Iterator[tuple[str, int, Any]]:
    yield path, level, layer
    if level < depth:
        for part in layer._flatten_layers(recursive=False, include_self=False):
            if part.trainable_variables:
                yield from _walk(f"{path}/{part.name}", part, level + 1, depth)


@dataclass
class _Counts:
    flops: dict[str, int]
    shapes: dict[str, str]


def _counted(model: RankingModel, layers: list[tuple[str, int, Any]], candidates: int) -> _Counts:
    """Run the model on one context row and ``candidates`` rows, and count FLOPs within each layer's call."""
    counts = _Counts({path: 0 for path, *_ in layers}, {})
    open_calls: list[str] = []

    def count(op_type: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None) -> None:
        del op_name, graph
        arithmetic = _flops(_decoded(op_type), inputs, attrs, outputs)
        for path in set(open_calls):
            counts.flops[path] += arithmetic

    with ExitStack() as stack:
        for path, _, layer in layers:
            stack.enter_context(_tracked(path, layer, open_calls, counts.shapes))
        op_callbacks.add_op_callback(count)
        stack.callback(op_callbacks.remove_op_callback, count)
        model(_zeros(model, candidates))
    return counts


@contextmanager
def _tracked(path: str, layer: Any, open_calls: list[str], shapes: dict[str, str]) -> Iterator[None]:
    """Wrap a layer's methods while the block runs, to attribute FLOPs to it."""
    methods = [
        name for name in ("call", "weights_from", "mix") if callable(getattr(type(layer), name, None))
    ]  # gates are also called through weights_from and mix

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            open_calls.append(path)
            try:
                output = method(*args, **kwargs)
            finally:
                open_calls.remove(path)
            shapes[path] = _shape(output)
            return output

        return wrapped

    for name in methods:
        object.__setattr__(layer, name, wrap(getattr(layer, name)))
    try:
        yield
    finally:
        for name in methods:
            object.__delattr__(layer, name)


def _zeros(model: RankingModel, candidates: int) -> dict[str, tf.Tensor]:
    arrays = {}
    for side, layout in model.embedding.layout.sides():
        rows = 1 if side == "context" else candidates
        if layout.ids:
            arrays[f"{side}_ids"] = tf.zeros([rows, layout.id_width], tf.int32)
        if layout.numbers:
            arrays[f"{side}_numbers"] = tf.zeros([rows, layout.number_width])
    return arrays


def _shape(output: Any) -> str:
    widths = [str(part.shape[-1]) for part in tf.nest.flatten(output) if isinstance(part, tf.Tensor)]
    runs: list[list[Any]] = []
    for width in widths:
        if runs and runs[-1][0] == width:
            runs[-1][1] += 1
        else:
            runs.append([width, 1])
    return ", ".join(width if times == 1 else f"{times} x {width}" for width, times in runs)


def _decoded(op_type: Any) -> str:
    return op_type.decode() if isinstance(op_type, bytes) else str(op_type)


_FREE = frozenset(
    {
        *("Reshape", "StridedSlice", "Slice", "ConcatV2", "Pack", "Unpack", "Split", "SplitV", "ExpandDims", "Squeeze"),
        *("Identity", "Shape", "Cast", "GatherV2", "ResourceGather", "ReadVariableOp", "Transpose", "Tile"),
        *("BroadcastTo", "Fill", "ZerosLike", "OnesLike", "StopGradient", "Const", "Prod", "Range", "EnsureShape"),
    }
)
"""Operations that only move data."""


def _flops(op: str, inputs: Any, attrs: Any, outputs: Any) -> int:
    """FLOPs of one operation: exact for matrix products, one per element for anything else."""
    if op in _FREE or not outputs or not inputs:
        return 0
    if op in ("MatMul", "BatchMatMulV2"):
        named = dict(zip(attrs[::2], attrs[1::2], strict=True)) if attrs else {}
        inner = inputs[0].shape[-2 if named.get("transpose_a") or named.get("adj_x") else -1]
        return 2 * int(np.prod(outputs[0].shape)) * int(inner)
    sizes = [int(np.prod(x.shape)) for x in [*inputs, *outputs] if isinstance(x, tf.Tensor) and x.dtype.is_floating]
    return max(sizes, default=0)


def totals(summary: list[Block]) -> Mapping[str, int]:
    """The whole model's parameters and FLOPs."""
    model = summary[0]
    return {
        "parameters": model.parameters,
        "flops_per_request": model.flops_per_request,
        "flops_per_candidate": model.flops_per_candidate,
    }
