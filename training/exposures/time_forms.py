"""How the columns of times that a config reads are written, so that a joined log is like the one before it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.artifact import STATE, Artifact
from ranker.iso_times import DAY_MS
from training.config.data import SplitByTime
from training.config.experiment import Experiment
from training.data.earlier import FACTS, StateFacts
from training.data.split.time_units import EPOCHS, unit_of
from training.data.trained_on import TrainedOn

TimeForm: TypeAlias = Callable[[Any], Any]
"""From timestamps [N] in UTC to the values of a column [N]."""


def time_forms(artifact: Artifact, experiment: Experiment) -> dict[str, TimeForm]:
    """For each column of times that the config counts days or splits by, how a timestamp is written in it.

    As in the log that the artifact was trained on: as times, as dates such as 20260131, or as numbers of a unit.
    """
    rule = experiment.data.split
    forms: dict[str, TimeForm] = {}
    if isinstance(rule, SplitByTime):
        seen = TrainedOn.model_validate(artifact.manifest.trained_on).time if artifact.manifest.trained_on else None
        numbers = seen is not None and seen.kind == "number"
        unit = _unit(float(seen.first)) if seen is not None and numbers else "times"
        forms[rule.column] = text_form(rule.format) if rule.format is not None else FORMS[unit]
    facts = artifact.folder / STATE / FACTS
    if experiment.day_column is not None and experiment.day_column not in forms:
        unit = StateFacts.model_validate_json(facts.read_bytes()).day_unit if facts.is_file() else "times"
        forms[experiment.day_column] = FORMS.get(unit, FORMS["times"])
    return forms


def _unit(first: float) -> str:
    unit = unit_of(first)
    return unit or ("dates" if 19_000_101 <= first <= 99_991_231 else "days")


def _milliseconds(times: Any) -> Any:
    return pc.cast(times, pa.int64())


def _dates(times: Any) -> Any:
    year, month, day = pc.year(times), pc.month(times), pc.day(times)
    return pc.cast(pc.add(pc.add(pc.multiply(year, 10_000), pc.multiply(month, 100)), day), pa.int32())


def text_form(form: str) -> TimeForm:
    """Text in a ``strptime`` format, as of a split with ``data.split.format``."""

    def written(times: Any) -> Any:
        distinct, places = np.unique(_milliseconds(times).to_numpy(), return_inverse=True)
        moments = distinct.astype("datetime64[ms]").astype(object)
        return pa.array([moment.strftime(form) for moment in moments]).take(pa.array(places))

    return written


def _since_1970(per_second: int) -> TimeForm:
    if per_second < 1000:
        return lambda times: pc.divide(_milliseconds(times), 1000 // per_second)
    return lambda times: pc.multiply(_milliseconds(times), per_second // 1000)


FORMS: dict[str, TimeForm] = {
    "times": lambda times: times,
    "dates": _dates,
    "days": lambda times: pc.divide(_milliseconds(times), DAY_MS),
    **{unit: _since_1970(per_second) for unit, per_second in EPOCHS.items()},
}
"""By unit, as ``training.data.days`` names them."""
