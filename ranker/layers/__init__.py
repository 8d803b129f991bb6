"""Building blocks of the architectures, one per file."""

from ranker.layers.dropout import Dropout
from ranker.layers.embedding import Embedding
from ranker.layers.expert import Expert
from ranker.layers.gating import Gate, GateOptions, GateReading, gate_weights, watching
from ranker.layers.precision import Precision, products_in
from ranker.layers.sides import Inputs, Sides, join
from ranker.layers.split_dense import SplitDense
from ranker.layers.tower import Tower

__all__ = [
    "Dropout",
    "Embedding",
    "Expert",
    "Gate",
    "GateOptions",
    "GateReading",
    "Inputs",
    "Precision",
    "Sides",
    "SplitDense",
    "Tower",
    "gate_weights",
    "join",
    "products_in",
    "watching",
]
