"""Raw values -> model inputs: fitted on training data, saved, and used unchanged in serving."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ranker.encoding.columns import Column, ColumnError, Ragged
from ranker.encoding.layout import IdField, Layout, NumberField, Packed, SideLayout
from ranker.encoding.text import Text

if TYPE_CHECKING:
    from ranker.encoding.encoder import Encoder, Items
    from ranker.encoding.fitter import EncoderFitter
    from ranker.encoding.labels import Labels, encode_labels, label_columns
    from ranker.encoding.state import from_state, to_state
    from ranker.encoding.weights import encode_weights, weight_columns

__all__ = [
    "Column",
    "ColumnError",
    "Encoder",
    "EncoderFitter",
    "IdField",
    "Items",
    "Labels",
    "Layout",
    "NumberField",
    "Packed",
    "Ragged",
    "SideLayout",
    "Text",
    "encode_labels",
    "encode_weights",
    "from_state",
    "label_columns",
    "to_state",
    "weight_columns",
]

_READ_A_SCHEMA = {
    "Encoder": "encoder",
    "EncoderFitter": "fitter",
    "Items": "encoder",
    "Labels": "labels",
    "encode_labels": "labels",
    "encode_weights": "weights",
    "from_state": "state",
    "label_columns": "labels",
    "to_state": "state",
    "weight_columns": "weights",
}
"""Lazy modules by name. They import the schema, which imports the kinds below, so eager imports would be circular."""


def __getattr__(name: str) -> Any:
    if name not in _READ_A_SCHEMA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_READ_A_SCHEMA[name]}"), name)
