"""Parts shared by several architectures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from ranker.architectures.base import ArchitectureOptions, Head, Units
from ranker.layers import Expert, Gate, GateOptions, Inputs, Sides, Tower
from ranker.lazy_tensorflow import Layer, tf


class ExpertOptions(ArchitectureOptions):
    """Options of architectures whose gates mix experts."""

    expert_units: Units = Field((256, 128), min_length=1, description="Units of each expert's layers.")
    gate: GateOptions = Field(default_factory=GateOptions, description="Options of the gates.")


def make_experts(options: ExpertOptions, names: Iterable[str]) -> list[Expert]:
    """Create one expert per name."""
    return [Expert(options.expert_units, options.activation, options.dropout, name=f"expert_{n}") for n in names]


def run(experts: Sequence[Expert], inputs: Sides | tf.Tensor, training: bool) -> list[tf.Tensor]:
    """Outputs of several experts on one input."""
    return [expert(inputs, training=training) for expert in experts]


def own_name(task: str) -> str:
    """Name of a task's own parts: the task's name, with a suffix if it would clash with the shared parts."""
    return f"{task}_task" if task == "shared" else task


def numbered(prefix: str, count: int) -> list[str]:
    """Names ``prefix_0`` to ``prefix_{count - 1}``."""
    return [f"{prefix}_{i}" for i in range(count)]


class InputsTrunk(Layer):
    """A trunk without variables: tasks share only the embedded inputs. Returns [context, candidate] of each set."""

    def __init__(self) -> None:
        super().__init__(name="trunk")

    def call(self, inputs: Inputs, training: bool = False) -> list[tf.Tensor]:
        """Flatten one pair of sides, or a list of pairs, to a flat list."""
        del training  # unused
        sets = [inputs] if isinstance(inputs, Sides) else inputs
        return [side for sides in sets for side in sides]


class TowerHead(Head):
    """A tower on one of the trunk's tensors."""

    def __init__(self, options: ArchitectureOptions, place: int, name: str) -> None:
        super().__init__(name=name)
        self.place = place
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"{name}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the task's logit [B, 1]."""
        return self.tower(shared[self.place], training=training)


class GatedHead(Head):
    """One task's gate over shared experts, and its tower. Reads [context, candidate, expert ...]."""

    def __init__(self, options: ExpertOptions, experts: Sequence[str], task: str) -> None:
        super().__init__(name=f"head_{task}")
        self.gate = Gate(experts, options.gate, options.activation, name=f"gate_{task}")
        self.tower = Tower(options.towers, options.activation, options.dropout, name=f"head_{task}_tower")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Return the task's logit [B, 1]."""
        mixed = self.gate(Sides(shared[0], shared[1]), shared[2:], training=training)
        return self.tower(mixed, training=training)
