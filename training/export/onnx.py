"""Converts a Keras model to ONNX, keeping the embedding tables out of the conversion.

tf2onnx copies and hashes every constant several times, which takes minutes for large tables. Here the tables are
inputs of the converted function and become initialisers of the finished graph, except those beside it: their rows are
inputs of the finished graph.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ranker.encoding.table_regions import TablesInside
from ranker.layers.sharded_table import rows_of
from ranker.model import RankingModel, input_signature

OPSET = 17
CATCHES = "TF2ONNX_CATCH_ERRORS"
"""A variable with which tf2onnx does not catch errors of its optimisers."""
TABLE = "table_"
"""Prefix of the embedding tables' initialisers; their width follows."""
ROWS = {"context": "contexts", "candidate": "candidates"}
"""Names of the inputs' first dimension; an engine that always has one context fixes ``contexts`` at 1."""


def to_onnx(model: RankingModel, beside: Collection[str] = ()) -> onnx.ModelProto:
    """The served function as an ONNX model that maps packed arrays by name to ``scores`` [N, T].

    Tables of the features ``beside`` the graph are left out; see :class:`~ranker.encoding.table_regions.TablesInside`.
    """
    embedding = model.embedding
    inside = TablesInside(embedding.layout, beside)
    tables = {f"{TABLE}{width}": rows for width, rows in _inside_tables(model, inside)}
    packed = {
        **input_signature(embedding.layout),
        **{
            name: tf.TensorSpec([None, field.length * region.dimension * embedding.sets], tf.float32, name=name)
            for region in inside.beside
            for side, field in region.fields
            for name in [inside.inputs[side, field.feature]]
        },
    }
    signature = {**packed, **{name: tf.TensorSpec(rows.shape, tf.float32, name=name) for name, rows in tables.items()}}

    @tf.function(input_signature=[signature], autograph=False)
    def score(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with embedding.reading({name.removeprefix(TABLE): inputs[name] for name in tables}, inside):
            return {"scores": model({name: inputs[name] for name in packed})}

    converted = _converted(score, signature)
    _name_rows(converted)
    _fix_tables(converted, tables)
    onnx.checker.check_model(converted)
    return converted


def _converted(score: Any, signature: Mapping[str, tf.TensorSpec]) -> onnx.ModelProto:
    """The function, converted.

    tf2onnx leaves out optimisers that fail, and to go back copies the graph before each of them, which takes a sixth of
    the time. So it is only let do so after one has failed.
    """
    convert = partial(tf2onnx.convert.from_function, score, input_signature=[signature], opset=OPSET)
    if CATCHES not in os.environ:
        os.environ[CATCHES] = "FALSE"
        with suppress(Exception):
            try:
                return convert()[0]
            finally:
                del os.environ[CATCHES]
    return convert()[0]


def _inside_tables(model: RankingModel, inside: TablesInside) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Width and rows of each table that keeps any."""
    for width, table in model.embedding.tables.items():
        if ranges := inside.ranges(int(width)):
            yield width, np.concatenate([rows_of(table, start, end) for start, end in ranges])


def _name_rows(model: onnx.ModelProto) -> None:
    """Name the row dimension by side; the conversion invents a name for each input."""
    for node in model.graph.input:
        side = node.name.partition("_")[0]
        if side in ROWS:
            node.type.tensor_type.shape.dim[0].dim_param = ROWS[side]


def _fix_tables(model: onnx.ModelProto, tables: Mapping[str, Any]) -> None:
    """Replace table inputs by initialisers."""
    inputs = [node for node in model.graph.input if node.name not in tables]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for name, table in tables.items():
        model.graph.initializer.append(numpy_helper.from_array(table, name))
