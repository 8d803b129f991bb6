"""Registry of list poolings by schema name; to add one, add a file and a line here."""

from ranker.layers.pooling.base import POOLINGS, Pooling
from ranker.layers.pooling.din import DIN
from ranker.layers.pooling.multi_head import MultiHead
from ranker.layers.pooling.plain import Mean, Sum

__all__ = ["DIN", "POOLINGS", "Mean", "MultiHead", "Pooling", "Sum"]
