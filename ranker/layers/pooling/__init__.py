"""Ways to turn a list of ids into one vector, by the schema's word; adding one is a file and a line here."""

from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.layers.pooling.din import DIN
from ranker.layers.pooling.multi_head import MultiHead
from ranker.layers.pooling.plain import Mean, Sum

__all__ = ["DIN", "POOLINGS", "Mean", "MultiHead", "Pooling", "Sum"]
