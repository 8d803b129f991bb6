"""Gates over experts, and a way to record their weights."""

from ranker.layers.gating.gate import Gate, GateOptions, gate_weights
from ranker.layers.gating.rules import RULES
from ranker.layers.gating.watch import GateReading, watching

__all__ = ["RULES", "Gate", "GateOptions", "GateReading", "gate_weights", "watching"]
