"""Raw values -> arrays a model reads: fitted on training data, saved, and used unchanged in serving."""

from ranker.encoding.columns import Column, ColumnError, Ragged
from ranker.encoding.encoder import Encoder, Items
from ranker.encoding.fitter import EncoderFitter
from ranker.encoding.labels import Labels, encode_labels, label_columns
from ranker.encoding.layout import IdField, Layout, NumberField, Packed, SideLayout
from ranker.encoding.state import from_state, to_state
from ranker.encoding.text import Text
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
