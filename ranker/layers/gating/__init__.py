"""Gates: which experts to listen to, and what can be seen of it."""

from ranker.layers.gating.gate import Gate, GateOptions, gate_weights
from ranker.layers.gating.rules import RULES
from ranker.layers.gating.watch import GateReading, watching

__all__ = ["RULES", "Gate", "GateOptions", "GateReading", "gate_weights", "watching"]
