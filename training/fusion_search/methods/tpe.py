"""Tree-structured Parzen estimators, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("tpe")
class Tpe(OptunaMethod):
    """Samples where good points are dense relative to bad ones, multivariate. Bergstra et al. 2011."""

    def sampler(self) -> Any:
        """TPE with constant liar, which keeps the points of a generation apart."""
        return optuna.samplers.TPESampler(seed=self.seed, multivariate=True, constant_liar=True, n_startup_trials=16)
