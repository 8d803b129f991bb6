"""LightGBM for one binary label: rounds and settings are chosen on held-out training rows, then refitted on all."""

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from benchmarks.kuairand import Bools, Floats

LEARNING_RATE = 0.05
MAX_ROUNDS = 2000
PATIENCE = 50


@dataclass(frozen=True)
class Setting:
    """A candidate setting; LightGBM splits the columns `as_categories` as sets of values."""

    leaves: int
    as_categories: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fit:
    """Scores of the evaluated rows, with the setting and number of rounds chosen on held-out training rows."""

    scores: Floats
    setting: Setting
    rounds: int


def _parameters(setting: Setting, threads: int, seed: int) -> dict[str, object]:
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": LEARNING_RATE,
        "num_leaves": setting.leaves,
        "min_data_in_leaf": 100,
        "lambda_l2": 5.0,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "max_bin": 127,
        "cat_smooth": 50.0,
        "cat_l2": 20.0,
        "min_data_per_group": 50,
        "num_threads": threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _data(features: Floats, labels: Floats, setting: Setting, parameters: dict[str, object]) -> lgb.Dataset:
    return lgb.Dataset(
        features,
        labels,
        categorical_feature=list(setting.as_categories),
        params=parameters,
        free_raw_data=False,
    )


def _tune(
    features: Floats,
    labels: Floats,
    fitted: Bools,
    held_out: Bools,
    setting: Setting,
    parameters: dict[str, object],
) -> tuple[float, int]:
    """Best log loss on the held-out rows, and the number of rounds that reaches it."""
    data = _data(features[fitted], labels[fitted], setting, parameters)
    booster = lgb.train(
        parameters,
        data,
        num_boost_round=MAX_ROUNDS,
        valid_sets=[data.create_valid(features[held_out], labels[held_out])],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )
    return booster.best_score["valid_0"]["binary_logloss"], booster.best_iteration


def fit(
    *,
    tuning: tuple[Floats, Bools, Bools],
    final: tuple[Floats, Bools, Bools],
    labels: Floats,
    settings: Sequence[Setting],
    threads: int,
    seed: int = 1,
) -> Fit:
    """Choose a setting and its rounds, fit them on all training rows, score the evaluated rows.

    Parameters
    ----------
    tuning
        Features [N, F] free of the held-out rows' labels, the rows to fit [N], the held-out rows [N].
    final
        Features [N, F], the rows to fit [N], the rows to score [N].
    labels
        [N], 0 or 1.
    seed
        Of the columns and rows that each tree sees.
    """
    features, fitted, held_out = tuning
    parameters = [_parameters(setting, threads, seed) for setting in settings]
    tuned = [
        _tune(features, labels, fitted, held_out, setting, given)
        for setting, given in zip(settings, parameters, strict=True)
    ]
    best = int(np.argmin([loss for loss, _ in tuned]))
    setting, rounds = settings[best], tuned[best][1]
    features, fitted, scored = final
    booster = lgb.train(
        parameters[best],
        _data(features[fitted], labels[fitted], setting, parameters[best]),
        num_boost_round=rounds,
    )
    return Fit(np.asarray(booster.predict(features[scored])), setting, rounds)
