"""Covariates by unit, which take out what units would have done anyway: an earlier period, or a column of a file."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import DataError, Log, Source
from training.experiments.collect import Collected, names_in
from training.experiments.metrics import Metric
from training.experiments.unit_sums import Floats
from training.exposures.keys import as_text, hashed_units, hashes

Covariate = tuple[Floats, Floats]
"""Numerator and denominator by unit [U]; 0 for units without one."""


def of_earlier_period(collected: Collected, metrics: Mapping[str, Metric]) -> dict[str, Covariate]:
    """By name the metric itself, over the period before the experiment.

    Raises ``DataError`` if no unit was there then, and ``MetricError`` if a metric is undefined of those that were.
    """
    totals = collected.totals_before(names_in(list(metrics.values())))
    there = totals["users"] > 0
    if not there.any():
        raise DataError("no unit of the experiment made a request in this time")
    present = {name: values[there] for name, values in totals.items()}
    return {name: _filled(metric.sums(present), there) for name, metric in metrics.items()}


def _filled(sums: Covariate, there: NDArray[np.bool_]) -> Covariate:
    found = np.zeros(len(there)), np.zeros(len(there))
    for whole, part in zip(found, sums, strict=True):
        whole[there] = part
    return found


def of_column(source: Source, name: str, collected: Collected, salt: str | None) -> Covariate:
    """Values of a column by unit, with the denominator 1 where there is one.

    With a ``salt``, units are hashed as those of a log that hashes them. Raises ``DataError`` for a unit that comes
    twice, for values that are no finite numbers, and if no unit of the experiment has any.
    """
    values, there = np.zeros(len(collected.keys)), np.zeros(len(collected.keys))
    for chunk in Log(source, {"unit": "text", name: "number"}).arrow_chunks(["unit", name]):
        units = as_text(chunk.arrays["unit"], f"{chunk.source}, column 'unit'")
        if collected.hashed and salt is not None:
            units = hashed_units(units, salt)
        keys, has_unit = hashes(units), ~units.is_null().to_numpy(zero_copy_only=False)
        numbers = np.asarray(chunk.converted([name]).columns[name])
        if numbers.dtype.kind not in "biuf":
            raise DataError(f"{chunk.source}: the column {name!r} must hold numbers to be a covariate")
        numbers = numbers.astype(np.float64)
        if np.isinf(numbers).any():
            raise DataError(f"{chunk.source}: the column {name!r} holds an infinite number")
        at = np.minimum(np.searchsorted(collected.keys, keys), len(collected.keys) - 1)
        own = has_unit & (collected.keys[at] == keys) & ~np.isnan(numbers)
        rows = at[own]
        if there[rows].any() or len(np.unique(rows)) < len(rows):
            raise DataError(f"{chunk.source}: names a unit more than once; a covariate is one number by unit")
        values[rows], there[rows] = numbers[own], 1.0
    if not there.any():
        raise DataError(f"no unit of the experiment has a value of {name!r} in {', '.join(map(str, source))}")
    return values, there
