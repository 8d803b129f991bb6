"""Random search on live traffic: the yardstick that other methods have to beat."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from training.online_methods.base import (
    ONLINE_METHODS,
    Judged,
    MethodOptions,
    OnlineMethod,
    Points,
    Proposal,
    equal_shares,
)


@ONLINE_METHODS.register("random")
class Random(OnlineMethod):
    """Sets drawn evenly from the trust region; the one with the largest measured gain wins."""

    class Options(MethodOptions):
        """No further options."""

        name: Literal["random"] = "random"

    options: Options

    def propose(self, rounds: Sequence[Judged], random: np.random.Generator) -> Proposal:  # noqa: ARG002
        """Draw afresh."""
        points = random.random((self.options.sets, self.dimensions))
        middle, deviation = np.full(self.dimensions, 0.5), np.full(self.dimensions, np.sqrt(1 / 12))
        return Proposal(points, equal_shares(len(points)), middle, deviation)

    def winner(self, rounds: Sequence[Judged]) -> Points | None:
        """The luckiest set, if its gain is above 0."""
        points = np.concatenate([one.points[one.usable] for one in rounds])
        gains = np.concatenate([one.gains[one.usable] for one in rounds])
        return points[np.argmax(gains)] if len(gains) and gains.max() > 0 else None
