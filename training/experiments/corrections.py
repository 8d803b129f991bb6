"""Corrections for several comparisons: at which level each interval is told, so that the whole keeps its promise.

A comparison is called a difference if and only if the interval at its level excludes 0.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ranker.registry import Registry
from training.experiments.unit_sums import Floats


class Corrected(NamedTuple):
    """Levels [M] of the intervals of M comparisons, and their p-values [M] made comparable with the level of all."""

    levels: Floats
    p_values: Floats


Correction = Callable[[Floats, float], Corrected]
"""From p-values [M] and a level."""
CORRECTIONS: Registry[Correction] = Registry("correction")
PROMISES: Mapping[str, str] = {
    "holm": "a difference where there is none, anywhere, with a probability of at most {level:g}",
    "bonferroni": "an interval that misses, anywhere, with a probability of at most {level:g}",
    "benjamini_hochberg": "on average at most {level:g} of the differences are none",
    "none": "each interval misses with a probability of {level:g}, whatever their number",
}
"""What a correction promises."""


@CORRECTIONS.register("holm")
def holm(p_values: Floats, level: float) -> Corrected:
    """Step-down: the k-th lowest of M p-values at ``level / (M - k + 1)``, until one is above. Holm 1979."""
    count, order = len(p_values), np.argsort(p_values, kind="stable")
    steps = count - np.arange(count)
    ordered = p_values[order]
    failed = np.flatnonzero(ordered > level / steps)
    stop = int(failed[0]) if len(failed) else count - 1
    levels, adjusted = np.empty(count), np.empty(count)
    levels[order] = level / steps[np.minimum(np.arange(count), stop)] if count else 0
    adjusted[order] = np.minimum(np.maximum.accumulate(ordered * steps), 1.0)
    return Corrected(levels, adjusted)


@CORRECTIONS.register("bonferroni")
def bonferroni(p_values: Floats, level: float) -> Corrected:
    """All at ``level / M``."""
    count = max(len(p_values), 1)
    return Corrected(np.full(len(p_values), level / count), np.minimum(p_values * count, 1.0))


@CORRECTIONS.register("benjamini_hochberg")
def benjamini_hochberg(p_values: Floats, level: float) -> Corrected:
    """Step-up, with R found: intervals at ``R level / M``. Benjamini & Hochberg 1995, Benjamini & Yekutieli 2005."""
    count, order = len(p_values), np.argsort(p_values, kind="stable")
    adjusted = np.empty(count)
    scaled = p_values[order] * count / np.arange(1, count + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    found = max(int((adjusted <= level).sum()), 1)
    return Corrected(np.full(count, level * found / max(count, 1)), adjusted)


@CORRECTIONS.register("none")
def uncorrected(p_values: Floats, level: float) -> Corrected:
    """Each at ``level``."""
    return Corrected(np.full(len(p_values), level), p_values)
