"""Base class of search methods that use an Optuna sampler."""

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np
import optuna

from training.fusion_search.methods.base import Method, Points

optuna.logging.set_verbosity(optuna.logging.WARNING)


class OptunaMethod(Method):
    """Asks an in-memory Optuna study for ``size`` points at a time."""

    size = 8

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        directions = [optuna.study.StudyDirection.MAXIMIZE] * (terms if self.front else 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about experimental samplers
            sampler = self.sampler()
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._space: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in self.names
        }
        self._study.enqueue_trial(dict(zip(self.names, self.start.tolist(), strict=True)))
        self._asked: list[optuna.Trial] = []

    @property
    def names(self) -> list[str]:
        """One name per dimension."""
        return [f"x{i:03d}" for i in range(self.dimensions)]

    @abstractmethod
    def sampler(self) -> Any:
        """The Optuna sampler."""

    def ask(self) -> Points:
        """The study's next points."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._asked = [self._study.ask(self._space) for _ in range(self.size)]
        return np.array([[trial.params[name] for name in self.names] for trial in self._asked])

    def tell(self, points: Points, values: Points, terms: Points) -> None:
        """Tell the study; points asked for but not tried get no value."""
        told = np.maximum(terms, -1e9) if self.front else values[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for trial, numbers in zip(self._asked[: len(points)], told.tolist(), strict=True):
                self._study.tell(trial, numbers)
