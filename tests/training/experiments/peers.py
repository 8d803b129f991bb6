"""One small experiment, and what we say of it, for comparisons with other libraries."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.experiments.assignment import mismatch
from training.experiments.corrections import CORRECTIONS
from training.experiments.critical import Sequential
from training.experiments.outlook import power_of
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums

UNITS = 1200
P_VALUES = [0.04, 0.001, 0.03, 0.2, 0.012, 0.6]
PHI = 100.0
"""Variance of the noise divided by that of the prior, as savvi has it."""


def sample() -> dict[str, NDArray[Any]]:
    """Columns of users [U] without a random generator, so that they are the same everywhere."""
    number = np.arange(UNITS)
    noise = np.modf(np.sin(number * 12.9898) * 43758.5453)[0] ** 2
    bold = number % 2
    requests = 1 + number * 7 % 5
    clicks = np.floor(noise * (requests + 0.4 * bold)).astype(int)
    earlier = np.round(-60 * np.log1p(-0.95 * np.abs(np.sin(number))), 3)
    watch = np.round(0.5 * earlier + 40 * noise * requests + 6 * bold, 3)
    return {
        "group": np.where(bold == 1, "bold", "control"),
        "clicks": np.minimum(clicks, requests),
        "requests": requests,
        "watch": watch,
        "earlier": earlier,
    }


def ours() -> dict[str, list[float]]:
    """Our numbers, as ``benchmarks.peers.experiment`` has those of the others."""
    columns = sample()
    one = np.ones(UNITS)
    metrics = {
        "mean": RatioSums(columns["watch"], one),
        "ratio": RatioSums(columns["clicks"].astype(float), columns["requests"].astype(float)),
        "cuped": RatioSums(columns["watch"], one, (columns["earlier"], one)),
    }
    units = UnitSums(["control", "bold"], (columns["group"] == "bold").astype(np.intp), metrics)
    mean, ratio, cuped = (compare(units, name, "control")[0] for name in metrics)
    variance = mean.error**2 * UNITS / 4  # of a user, as a regression has it
    tau = np.sqrt(variance / PHI)
    sequential = Sequential(float(tau / mean.control_value))
    [watched] = compare(units, "mean", "control", method=sequential)
    counts = units.counts()
    tested = [mismatch(counts, {"control": 0.52, "bold": 0.48}, 0.05, sequential=always).p for always in (False, True)]
    return {
        "mean": [mean.difference, mean.p, *mean.interval],
        "ratio": [ratio.difference, ratio.error],
        "cuped": [cuped.difference, *cuped.interval],
        "sequential": [(watched.interval[1] - watched.interval[0]) / 2],
        "mismatch": tested,
        **{
            name: CORRECTIONS[name](np.array(P_VALUES), 0.05).p_values.tolist()
            for name in ("holm", "bonferroni", "benjamini_hochberg")
        },
        "power": [power_of(0.1, np.sqrt(2 / 500), 1.959963984540054)],
    }
