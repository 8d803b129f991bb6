"""Reads what units of a round did from the exposure log and files of events, as ``ranker-train experiment`` does."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from ranker.config.file import ConfigError
from ranker.exposures import ExposureError
from ranker.expressions import ExpressionError, parse
from ranker.log_files.log_reader import DataError
from ranker.registry import alternatives
from training.config.online import REWARD, Logs
from training.experiments.collect import Collected, collect, names_in, unit_sums
from training.experiments.events import Events, read_events
from training.experiments.metrics import BASE, VALUE, Metric, MetricError, metric_of, names_of
from training.experiments.requests import Period, Requests, read_requests
from training.experiments.unit_sums import Floats, RatioSums, UnitSums
from training.online.observed import Observed
from training.online.state import CONTROL

HALVES = ("a", "b")
NAME = "everybody"


class LogObservations:
    """Implements ``Observations`` over files.

    Exposures are read by their days, events as a whole, at every look.

    Parameters
    ----------
    logs
        Where the files are.
    metrics
        Formulas by name.

    Raises
    ------
    ConfigError
        If a formula cannot be read, or the salt of units is not in the environment.
    """

    def __init__(self, logs: Logs, metrics: Mapping[str, str]) -> None:
        self._logs = logs
        self._within = round(logs.within.total_seconds() * 1000)
        self._salt = None if logs.unit_salt_env is None else os.environ.get(logs.unit_salt_env)
        if logs.unit_salt_env is not None and not self._salt:
            raise ConfigError(
                f"logs.unit_salt_env {logs.unit_salt_env}: the environment has no such variable, or it is empty"
            )
        self._metrics = [_metric(name, text) for name, text in metrics.items()]

    def of(self, experiment: str, groups: list[str], since: datetime, until: datetime) -> Observed:
        """Sums of the units that were in one group only; none, and why, while the logs hold nothing of the round."""
        period = _period(since, until)
        try:
            requests = read_requests(self._logs.exposures, [period])
            events, lacking = self._events(requests)
            collected = collect(requests, events, period, experiment=experiment)
            sums, totals = self._sums(collected)
        except (DataError, ExposureError, MetricError) as problem:
            return self._nothing(groups, str(problem))
        strange = [name for name in collected.groups if name not in groups]
        if strange:
            return self._nothing(groups, f"{experiment} has groups of another search in the log: {', '.join(strange)}")
        places = np.array([groups.index(name) for name in collected.groups], dtype=np.intp)
        return Observed(
            UnitSums(groups, places[sums.group], sums.metrics), collected.keys, totals, remarks=tuple(lacking)
        )

    def everybody(self, since: datetime, until: datetime) -> Observed:
        """All units of a time as one group, whatever experiment they were in."""
        period = _period(since, until)
        try:
            requests = read_requests(self._logs.exposures, [period])
            count = len(requests)
            halves = replace(
                requests,
                experiments=np.zeros(count, dtype=np.int32),
                groups=(requests.units % np.uint64(2)).astype(np.int32),
                names={**requests.names, "experiment": [NAME], "group": list(HALVES)},
            )
            collected = collect(halves, self._events(halves)[0], period, experiment=NAME)
            sums, totals = self._sums(collected)
        except (DataError, ExposureError, MetricError) as problem:
            return self._nothing([CONTROL], str(problem))
        return Observed(UnitSums([CONTROL], np.zeros_like(sums.group), sums.metrics), collected.keys, totals)

    def _events(self, requests: Requests) -> tuple[Events, list[str]]:
        """Events of the requests, and remarks; kinds that formulas name and that did not occur are 0."""
        events = read_events(list(self._logs.events), requests, self._within, self._salt)
        named = (name.removesuffix(VALUE) for name in names_in(self._metrics) if name not in BASE)
        known = names_of(events.names)
        missing = [name for name in dict.fromkeys(named) if name not in known]
        remarks = [f"no event was of the kind {name!r}{alternatives(name, known, 'kinds')}" for name in missing]
        return events._replace(names=[*events.names, *missing]), remarks

    def _sums(self, collected: Collected) -> tuple[UnitSums, Floats]:
        totals = collected.totals([*names_in(self._metrics), "requests"])
        return unit_sums(collected, self._metrics, totals), totals["requests"]

    def _nothing(self, groups: Sequence[str], why: str) -> Observed:
        none = np.zeros(0)
        sums = {metric.name: RatioSums(none, none) for metric in self._metrics}
        return Observed(
            UnitSums(list(groups), np.zeros(0, dtype=np.intp), sums), np.zeros(0, dtype=np.uint64), none, why
        )


def _metric(name: str, text: str) -> Metric:
    try:
        kinds = [word for word in parse(re.sub(r"(?<=\w)\.value\b", "", text)).names if word not in BASE]
        return metric_of(f"{name} = {text}", kinds)
    except (ExpressionError, MetricError) as error:
        where = name if name == REWARD else f"guardrails.{name}.metric"
        raise ConfigError(f"{where}: {error}") from None


def _period(since: datetime, until: datetime) -> Period:
    return Period(*(round(time.timestamp() * 1000) for time in (since, until)))
