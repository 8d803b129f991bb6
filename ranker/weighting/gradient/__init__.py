"""Methods that weigh gradients; adding one is a file and a line here."""

from ranker.weighting.gradient.pe_ltr import PELTR

__all__ = ["PELTR"]
