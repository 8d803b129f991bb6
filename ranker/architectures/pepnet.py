"""Parameter and embedding personalised network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field

from ranker.architectures.base import ARCHITECTURES, Architecture, ArchitectureOptions, Head, Units
from ranker.encoding.layout import Layout
from ranker.layers import Dropout, Sides, SplitDense
from ranker.lazy_tensorflow import Layer, tf
from ranker.registry import suggestion
from ranker.schema import Schema

Places = Sequence[tuple[int, int]]
"""Start and width of column ranges of one side."""


@ARCHITECTURES.register("pepnet")
class PEPNet(Architecture):
    """Gates on prior features scale embeddings and hidden units, which personalises the parameters.

    Chang et al., "PEPNet: Parameter and Embedding Personalized Network", KDD 2023. EPNet scales the embedded inputs by
    a gate on the ``domain`` features (scenario, page), shared by all tasks. PPNet scales the hidden units of each
    task's network by gates on the ``personal`` features (user, author, item). Both gates also read the inputs, with
    gradients stopped. The context's gate reads only the context, so that it stays one row.
    """

    class Options(ArchitectureOptions):
        """Features read by the gates, and units of networks and gates."""

        name: Literal["pepnet"] = "pepnet"
        towers: Units = Field((128, 64), min_length=1, description="Units of each task's network.")
        gate_units: int = Field(32, ge=1, description="Hidden units of every gate.")
        domain: tuple[str, ...] | None = Field(
            None,
            description="Prior features of the embedding gates, besides the side they scale; default: the context's.",
        )
        personal: tuple[str, ...] | None = Field(
            None, description="Prior features of the parameter gates, besides all inputs; all by default."
        )

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if a prior is an unknown feature."""
            known = list(schema.features)
            for option, names in (("domain", self.domain), ("personal", self.personal)):
                for name in names or ():
                    if name not in known:
                        raise ValueError(f"{option}: {name!r} is not a feature{suggestion(name, known)}")

    options: Options

    def __init__(
        self,
        tasks: Sequence[str],
        options: Options | None = None,
        domain: tuple[Places | None, Places | None] = (None, ()),
        personal: tuple[Places | None, Places | None] = (None, None),
    ) -> None:
        """``domain`` and ``personal``: columns of the context and of the candidate; ``None`` means all columns."""
        super().__init__(tasks, options)
        self.trunk = _EmbeddingGates(self.options, domain, personal)
        self.heads = [_PersonalHead(self.options, name=f"head_{task}") for task in self.tasks]

    @classmethod
    def of_layout(cls, tasks: Sequence[str], options: ArchitectureOptions, layout: Layout) -> Self:
        """Look up the columns of the named features."""
        assert isinstance(options, PEPNet.Options)
        chosen = {}
        for path, names in (("domain", options.domain), ("personal", options.personal)):
            if names is not None:
                context, candidate = layout.places()
                chosen[path] = (
                    [context[n] for n in names if n in context],
                    [candidate[n] for n in names if n in candidate],
                )
        return cls(tasks, options, **chosen)


def _taken(side: tf.Tensor, places: Places | None) -> tf.Tensor:
    if places is None:
        return side
    parts = [side[:, start : start + width] for start, width in places]
    return tf.concat(parts, axis=1) if parts else side[:, :0]


class ScaleGate(Layer):
    """``2 sigmoid(W relu(V x))``, initially near 1: the paper's Gate NU."""

    def __init__(self, hidden: int, units: int, activation: str, name: str) -> None:
        super().__init__(name=name)
        self.hidden = SplitDense(hidden, activation, name="hidden")
        self.scale = SplitDense(units, "sigmoid", name="scale")

    def call(self, inputs: Sides | tf.Tensor) -> tf.Tensor:
        """Map sides or a tensor to factors [B, units] in (0, 2)."""
        return 2.0 * self.scale(self.hidden(inputs))


class _EmbeddingGates(Layer):
    """EPNet. Map sides to [scaled context, scaled candidate, prior of the context, prior of the candidate]."""

    def __init__(
        self,
        options: PEPNet.Options,
        domain: tuple[Places | None, Places | None],
        personal: tuple[Places | None, Places | None],
    ) -> None:
        super().__init__(name="trunk")
        self.options, self.domain, self.personal = options, domain, personal

    def build(self, shape: Sequence[tf.TensorShape]) -> None:
        """Create a gate for each side that has columns."""
        o = self.options
        widths = [int(side[-1]) for side in shape]
        self.gates: list[ScaleGate | None] = [
            ScaleGate(o.gate_units, width, o.activation, name=f"gate_{side}") if width else None
            for side, width in zip(("context", "candidate"), widths, strict=True)
        ]
        super().build(shape)

    def call(self, sides: Sides, training: bool = False) -> list[tf.Tensor]:
        del training  # unused
        domain = [_taken(side, places) for side, places in zip(sides, self.domain, strict=True)]
        seen = [tf.concat([d, tf.stop_gradient(side)], axis=1) for d, side in zip(domain, sides, strict=True)]
        context, candidate = self.gates
        scaled = [
            sides.context if context is None else sides.context * context(seen[0]),
            sides.candidate if candidate is None else sides.candidate * candidate(Sides(domain[0], seen[1])),
        ]
        priors = [_taken(side, places) for side, places in zip(sides, self.personal, strict=True)]
        return [*scaled, *priors]


class _PersonalHead(Head):
    """PPNet of one task: dense layers, each scaled by its own gate."""

    def __init__(self, options: PEPNet.Options, name: str) -> None:
        super().__init__(name=name)
        o = options
        self.stack = [SplitDense(units, o.activation, name=f"dense_{i}") for i, units in enumerate(o.towers)]
        self.gates = [
            ScaleGate(o.gate_units, units, o.activation, name=f"gate_{i}") for i, units in enumerate(o.towers)
        ]
        self.dropouts = [Dropout(o.dropout, name=f"{name}_dropout_{i}") for i in range(len(o.towers))]
        self.logit = SplitDense(1, name="logit")

    def call(self, shared: list[tf.Tensor], training: bool = False) -> tf.Tensor:
        inputs = Sides(shared[0], shared[1])
        prior = Sides(
            *(
                tf.concat([own, tf.stop_gradient(side)], axis=1)
                for own, side in zip(shared[2:], shared[:2], strict=True)
            )
        )
        hidden: Sides | tf.Tensor = inputs
        for dense, gate, dropout in zip(self.stack, self.gates, self.dropouts, strict=True):
            hidden = dropout(dense(hidden) * gate(prior), training=training)
        return self.logit(hidden)
