"""Tree-structured Parzen estimators, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("tpe")
class Tpe(OptunaMethod):
    """Draws where good points are dense and bad ones are not, parameters together. Bergstra et al. 2011."""

    def sampler(self) -> Any:
        """Points of one generation repel each other (the constant liar), so that they are not all the same."""
        return optuna.samplers.TPESampler(seed=self.seed, multivariate=True, constant_liar=True, n_startup_trials=16)
