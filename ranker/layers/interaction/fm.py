"""Factorisation machine."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from ranker.encoding.layout import Layout
from ranker.layers.interaction.base import INTERACTIONS, Interaction, InteractionOptions
from ranker.layers.sides import Sides
from ranker.layers.split_dense import SplitDense
from ranker.lazy_tensorflow import tf


@INTERACTIONS.register("fm")
class FMInteraction(Interaction):
    """First and second order of a factorisation machine, appended to the candidate's inputs, as in DeepFM.

    Rendle, ICDM 2010; Guo et al., "DeepFM", IJCAI 2017. The first order is one linear function of all inputs, [B, 1].
    The second is ``((sum_i v_i)^2 - sum_i v_i^2) / 2`` over the embedded features. It stays a vector [B, D] instead of
    a sum, so that tasks can weight its components (bi-interaction pooling; He & Chua, SIGIR 2017). Only features of
    the same width interact; each width has its own vector. The context's sums are computed once per request.
    """

    class Options(InteractionOptions):
        """No options."""

        name: Literal["fm"] = "fm"

    def __init__(self, layout: Layout, options: InteractionOptions | None = None) -> None:
        super().__init__(layout, options)
        self.linear = SplitDense(1, name="first_order")
        self.spans: dict[int, dict[str, list[int]]] = defaultdict(lambda: {"context": [], "candidate": []})
        for side, start, width, _ in layout.embedded():
            self.spans[width][side].append(start)

    @property
    def wide_variables(self) -> list[tf.Variable]:
        """Weights of the first order."""
        return list(self.linear.trainable_variables)

    def call(self, sides: Sides) -> Sides:
        """Append the first order [B, 1] and the second order [B, D] of each width."""
        crossed = [self.linear(sides)]
        for width, starts in self.spans.items():
            sums, squares = [], []
            for side, name in zip(sides, ("context", "candidate"), strict=True):
                if starts[name]:
                    vectors = [side[:, start : start + width] for start in starts[name]]
                    sums.append(tf.add_n(vectors))
                    squares.append(tf.add_n([v * v for v in vectors]))
            total, square = sum(sums[1:], sums[0]), sum(squares[1:], squares[0])
            crossed.append(0.5 * (total * total - square))
        rows = tf.shape(sides.candidate)[0]
        crossed = [tf.broadcast_to(x, tf.stack([rows, x.shape[1]])) for x in crossed]
        return Sides(sides.context, tf.concat([sides.candidate, *crossed], axis=1))
