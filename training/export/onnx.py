"""Converts a Keras model to ONNX, keeping the embedding tables out of the conversion.

tf2onnx copies and hashes every constant several times, which takes minutes for large tables. Here the tables are
inputs of the converted function and become initialisers of the finished graph.
"""

from collections.abc import Mapping
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx
from onnx import numpy_helper

from ranker.model import RankingModel, input_signature

OPSET = 17
TABLE = "table_"
"""Prefix of the embedding tables' initialisers; their width follows."""
ROWS = {"context": "contexts", "candidate": "candidates"}
"""Names of the inputs' first dimension; an engine that always has one context fixes ``contexts`` at 1."""


def to_onnx(model: RankingModel) -> onnx.ModelProto:
    """The served function as an ONNX model that maps packed arrays by name to ``scores`` [N, T]."""
    embedding = model.embedding
    tables = dict(embedding.tables)
    names = {key: f"{TABLE}{key}" for key in tables}
    packed = input_signature(embedding.layout)
    signature = {
        **packed,
        **{names[key]: tf.TensorSpec(table.shape, table.dtype, name=names[key]) for key, table in tables.items()},
    }

    @tf.function(input_signature=[signature], autograph=False)
    def score(inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with embedding.reading({key: inputs[name] for key, name in names.items()}):
            return {"scores": model({name: inputs[name] for name in packed})}

    converted, _ = tf2onnx.convert.from_function(score, input_signature=[signature], opset=OPSET)
    _name_rows(converted)
    _fix_tables(converted, {names[key]: table.numpy() for key, table in tables.items()})
    onnx.checker.check_model(converted)
    return converted


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
