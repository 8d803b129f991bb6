"""Losses brought to one magnitude, for methods that compare how tasks fare but sum plain losses."""

from collections.abc import Mapping

from ranker.tasks import Task
from ranker.weighting.base import LabelFacts, LossWeigher, ScaledOptions

UNLIKE = 10.0
"""Losses that differ by more than this factor are said to be of unlike magnitude."""


def unlike(options: ScaledOptions, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
    """A sentence where one loss is much larger than another and neither is scaled."""
    losses = {name: loss for name, loss in zip(tasks, facts.constant, strict=True) if loss > 0}
    if options.scale_by != "none" or not losses:
        return []
    least, most = min(losses, key=losses.__getitem__), max(losses, key=losses.__getitem__)
    if losses[most] <= UNLIKE * losses[least]:
        return []
    return [
        f"weighting: {options.name} weighs losses that are of unlike magnitude, {most!r} of about "
        f"{losses[most]:.3g} and {least!r} of {losses[least]:.3g}: the larger will rule; say scale_by: prior"
    ]


class ScaledWeigher(LossWeigher):
    """Base of methods whose weights do not see a loss' scale."""

    options: ScaledOptions

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Say so where one loss is much larger than another and neither is scaled."""
        return unlike(self.options, tasks, facts)
