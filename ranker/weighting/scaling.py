"""Loss scaling for methods that compare tasks' progress but sum unscaled losses."""

from collections.abc import Mapping

from ranker.tasks import Task
from ranker.weighting.base import LabelFacts, LossWeigher, ScaledOptions

UNLIKE = 10.0
"""Losses that differ by more than this factor cause a warning."""


def unlike(options: ScaledOptions, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
    """Return a warning if one loss is much larger than another and losses are not scaled."""
    losses = {name: loss for name, loss in zip(tasks, facts.constant, strict=True) if loss > 0}
    if options.scale_by != "none" or not losses:
        return []
    least, most = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    if losses[most] <= UNLIKE * losses[least]:
        return []
    return [
        f"weighting: {options.name} weights losses of different magnitude, {most!r} of about "
        f"{losses[most]:.3g} and {least!r} of {losses[least]:.3g}: the larger will dominate; use scale_by: prior"
    ]


class ScaledWeigher(LossWeigher):
    """Base of methods whose weights ignore the scale of losses."""

    options: ScaledOptions

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Warn if one loss is much larger than another and losses are not scaled."""
        return unlike(self.options, tasks, facts)
