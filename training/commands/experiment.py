"""``ranker-train experiment``: judges an experiment from the exposure log and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ranker.config.file import ConfigError
from ranker.log_files.log_reader import DataError
from ranker.registry import alternatives
from training.commands.inputs import Progress, console_of
from training.config.duration import duration
from training.display import text_table
from training.experiments.assignment import Mismatch, mismatch, shares_in
from training.experiments.collect import Collected, collect
from training.experiments.corrections import CORRECTIONS
from training.experiments.covariates import Covariate, of_column, of_earlier_period
from training.experiments.critical import FIXED, Critical, Sequential
from training.experiments.events import Events, read_events
from training.experiments.guardrails import guardrail_of
from training.experiments.judge import Plan
from training.experiments.judgement import Judgement, judged
from training.experiments.metrics import default_metrics, distinct, metric_of
from training.experiments.notes import notes_of
from training.experiments.requests import Period, period_of, read_requests
from training.reports.experiment import (
    CHECK_HEADERS,
    COMPARISON_HEADERS,
    GROUP_HEADERS,
    check_lines,
    comparison_lines,
    explained,
    group_lines,
    sentence,
)

CONTROL = "control"


@dataclass(frozen=True)
class ExperimentOptions:
    """How an experiment is judged.

    Attributes
    ----------
    within
        How long after a request an event still belongs to it, such as ``30m``.
    experiment
        Its name, if the log holds several.
    control, groups
        The control (by default ``control``), and the groups to judge (by default all others).
    metrics, lower
        ``[NAME =] NUMERATOR / DENOMINATOR`` where more is better, and where less is better; by default a metric for
        each kind of event, where more is better.
    guardrails
        ``METRIC >= BOUND`` or ``METRIC <= BOUND``, such as ``watch.value / users >= -1%``.
    since, until
        Judge requests from a time, and before a time, in ISO form.
    before
        ``FROM..TO``: a period before the experiment, whose metrics are the covariates of CUPED.
    covariates, covariate
        Files with a column ``unit``, and the column that is the covariate.
    models, shares
        A models file of the service, or shares by group, against which numbers of units are tested.
    level, correction
        Probability of a false alarm, and a name in ``CORRECTIONS``.
    sequential
        Use intervals that hold at all times.
    effect, power
        Relative effect that matters, and the probability with which it is to be found.
    srm_level
        Level of the test of the shares.
    unit_salt
        Salt of the service's hashed units, for events and covariates by user.
    """

    within: str = "30m"
    experiment: str | None = None
    control: str | None = None
    groups: Sequence[str] = ()
    metrics: Sequence[str] = ()
    lower: Sequence[str] = ()
    guardrails: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    before: str | None = None
    covariates: Sequence[str | Path] = ()
    covariate: str | None = None
    models: Path | None = None
    shares: Mapping[str, float] | None = None
    level: float = 0.05
    correction: str = "holm"
    sequential: bool = False
    effect: float = 0.01
    power: float = 0.8
    srm_level: float = 0.001
    unit_salt: str | None = None

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value out of bounds, or options that exclude each other."""
        for name, value, most in (("level", self.level, 0.5), ("srm-level", self.srm_level, 0.5)):
            if not 0 < value < most:
                raise ConfigError(f"--{name}: must be above 0 and below {most:g}, got {value:g}")
        if not 0.5 <= self.power < 1:
            raise ConfigError(f"--power: must be from 0.5 and below 1, got {self.power:g}")
        if not 0 < self.effect <= 10:
            raise ConfigError(f"--effect: must be above 0 and at most 1000%, got {self.effect:g}")
        if self.correction not in CORRECTIONS:
            raise ConfigError(
                f"--correction: {self.correction!r} is unknown{alternatives(self.correction, CORRECTIONS)}"
            )
        if self.models is not None and self.shares is not None:
            raise ConfigError("--models and --shares both say the groups' shares; give one")
        if bool(self.covariates) != (self.covariate is not None):
            raise ConfigError("--covariates and --covariate go together: files, and the column of theirs")
        if self.covariates and self.before is not None:
            raise ConfigError("--before and --covariates both name covariates; give one")

    @property
    def milliseconds(self) -> int:
        """``within``. Raises ``ConfigError``."""
        try:
            return round(duration(self.within).total_seconds() * 1000)
        except ValueError as error:
            raise ConfigError(f"--within: {error}") from None

    @property
    def period(self) -> Period:
        """The requests that are judged. Raises ``ConfigError``."""
        return _period("--since and --until", self.since, self.until)

    @property
    def earlier(self) -> Period | None:
        """The period before the experiment. Raises ``ConfigError``."""
        if self.before is None:
            return None
        since, dots, until = self.before.partition("..")
        if not dots or not since.strip() or not until.strip():
            raise ConfigError(f"--before: {self.before!r} is no FROM..TO, such as 2026-01-01..2026-01-15")
        found, period = _period("--before", since, until), self.period
        assert found.until is not None
        if period.since is None:
            return found
        if period.since < found.until:
            raise ConfigError(f"--before: {self.before} ends after --since {self.since}, when the experiment began")
        return found

    @property
    def method(self) -> Critical:
        """How intervals are computed."""
        return Sequential(self.effect) if self.sequential else FIXED


def experiment(
    exposures: str | Path,
    events: Sequence[str | Path],
    options: ExperimentOptions | None = None,
    *,
    progress: Progress = True,
) -> Judgement:
    """Judge the groups of an experiment against its control.

    Parameters
    ----------
    exposures
        Folder of an exposure log.
    events
        Files, folders and globs with events: columns ``request_id`` or ``user``, ``kind``, ``time``, and optionally
        ``item``, ``value`` and ``event_id``.
    options
        Metrics, guardrails, covariate, level.
    progress
        Whether to print the result, or the Rich console to print it to.

    Raises
    ------
    ConfigError
        If an option is invalid, or does not fit the log.
    ValueError
        If exposures, events or a metric cannot be used: ``ExposureError``, ``DataError``, ``MetricError``.
    """
    asked, console = options or ExperimentOptions(), console_of(progress)
    period, earlier, within = asked.period, asked.earlier, asked.milliseconds
    requests = read_requests(Path(exposures), [period, *([] if earlier is None else [earlier])])
    if earlier is not None and period.since is None:
        period = period._replace(since=earlier.until)
    matched = read_events(list(events), requests, within, asked.unit_salt)
    collected = collect(requests, matched, period, earlier, asked.experiment)
    plan = _plan(asked, collected, matched)
    shares = shares_in(asked.models, collected.experiment) if asked.models is not None else asked.shares
    tested = None if shares is None else _mismatch(collected, shares, asked)
    covariates = _covariates(asked, collected, plan)
    found = judged(
        collected, plan, tested, matched.counts, covariates, notes_of(collected, requests, matched, tested, within)
    )
    _print(found, console)
    return found


def effect_of(text: str) -> float:
    """An effect such as ``1%`` or ``0.01``. Raises ``ConfigError``."""
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        return float(number) / (100 if percent else 1)
    except ValueError:
        raise ConfigError(f"--effect: {text!r:.40} is no effect such as 1% or 0.01") from None


def _period(option: str, since: str | None, until: str | None) -> Period:
    try:
        return period_of(option, since, until)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _plan(asked: ExperimentOptions, collected: Collected, events: Events) -> Plan:
    groups = collected.groups
    control = asked.control or CONTROL
    if control not in groups:
        hint = "" if asked.control else "; name the control with --control"
        raise ConfigError(f"--control: no units are in the group {control!r}{hint}{alternatives(control, groups)}")
    for name in asked.groups:
        if name not in groups or name == control:
            others = [group for group in groups if group != control]
            raise ConfigError(f"--group: {name!r} is no group besides the control{alternatives(name, others)}")
    kinds = list(events.counts.kinds)
    metrics = [metric_of(text, kinds) for text in asked.metrics]
    metrics += [metric_of(text, kinds, "less") for text in asked.lower]
    valued = {events.names[code] for code in np.unique(events.kinds[events.values != 1]).tolist()}
    metrics = distinct(metrics or default_metrics(kinds, valued))
    if not metrics:
        raise DataError("there are no events, so there is nothing to compare; name a metric such as requests / users")
    rails = [guardrail_of(text, kinds) for text in dict.fromkeys(asked.guardrails)]
    return Plan(
        control=control,
        groups=list(dict.fromkeys(asked.groups)) or [group for group in groups if group != control],
        metrics=metrics,
        guardrails=rails,
        level=asked.level,
        correction=asked.correction,
        method=asked.method,
        effect=asked.effect,
        power=asked.power,
    )


def _mismatch(collected: Collected, shares: Mapping[str, float], asked: ExperimentOptions) -> Mismatch:
    try:
        return mismatch(collected.assignment.units, shares, asked.srm_level, sequential=asked.sequential)
    except ValueError as error:
        raise ConfigError(f"{'--shares' if asked.models is None else asked.models}: {error}") from None


def _covariates(asked: ExperimentOptions, collected: Collected, plan: Plan) -> dict[str, Covariate] | None:
    """Covariates by metric; those of guardrails by their text."""
    metrics = {metric.name: metric for metric in plan.metrics} | {rail.text: rail.metric for rail in plan.guardrails}
    if asked.before is not None:
        try:
            return of_earlier_period(collected, metrics)
        except DataError as error:
            raise ConfigError(f"--before {asked.before}: {error}") from None
    if asked.covariate is not None:
        column = of_column(list(asked.covariates), asked.covariate, collected, asked.unit_salt)
        return dict.fromkeys(metrics, column)
    return None


def _print(found: Judgement, console: Console) -> None:
    tables = (
        (f"experiment {found.experiment}", GROUP_HEADERS, group_lines(found)),
        (f"differences to {found.plan.control}", COMPARISON_HEADERS, comparison_lines(found)),
        ("guardrails", CHECK_HEADERS, check_lines(found.checks)),
    )
    for title, headers, lines in tables:
        if lines:
            console.print(text_table(title, headers, lines))
    console.print(explained(found), markup=False)
    for note in found.notes:
        console.print(note, style="yellow", markup=False)
    console.print(sentence(found), style="green" if found.status == 0 else "red", markup=False)
