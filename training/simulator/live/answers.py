"""Answers to visits, from a service or from any function that ranks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from training.simulator.live.crowd import Visits
from training.simulator.live.responses import NO_ITEM
from training.simulator.population import Ints
from training.simulator.world import Values


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to R visits, with lists of up to K places.

    Attributes
    ----------
    items : [R, K]
        Item ids by place, ``NO_ITEM`` beyond the end of a list; nothing but ``NO_ITEM`` if the request failed.
    times : [R]
        When it was answered, in milliseconds since 1970; ``None``: the visits' simulated times.
    groups, outside
        Group of the experiment [R], or why the request is in none; ``None`` without an experiment.
    experiment
        The experiment's name.
    models, versions
        What ranked each request [R]; ``None``: version 1 of ``default``.
    propensity, base_place, fused : [R, K]
        As in the exposure log, where known.
    """

    items: Ints
    times: Ints | None = None
    groups: Sequence[str | None] | None = None
    outside: Sequence[str | None] | None = None
    experiment: str | None = None
    models: Sequence[str | None] | None = None
    versions: Sequence[int | None] | None = None
    propensity: Values | None = None
    base_place: Ints | None = None
    fused: Values | None = None

    def times_of(self, visits: Visits) -> Ints:
        """When each request [R] was answered, in milliseconds since 1970."""
        return visits.times if self.times is None else self.times

    @property
    def answered(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Whether each request [R] was answered with at least one item."""
        return np.asarray((self.items != NO_ITEM).any(axis=1))


Ranker: TypeAlias = Callable[[Visits], Answers]
"""Whatever answers visits: a function of a test or a benchmark, or a service."""
