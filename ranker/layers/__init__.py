"""Building blocks of the architectures, one a file."""

from ranker.layers.dropout import Dropout
from ranker.layers.embedding import Embedding
from ranker.layers.expert import Expert
from ranker.layers.gate import Gate, gate_weights
from ranker.layers.sides import Sides, join
from ranker.layers.split_dense import SplitDense
from ranker.layers.tower import Tower

__all__ = ["Dropout", "Embedding", "Expert", "Gate", "Sides", "SplitDense", "Tower", "gate_weights", "join"]
