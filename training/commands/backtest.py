"""Trains day by day on the past, and scores each next day before training on it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import orjson
import pandas as pd
from rich.console import Console

from ranker.encoding import weight_columns
from ranker.files import replace_file
from ranker.log_files.log_reader import DataError
from ranker.registry import require_known
from training.commands.backtest_day import train_and_score
from training.commands.inputs import Config, Data, Progress, console_of, experiment_of, source_of
from training.config.daily import Daily
from training.config.data import Data as DataOptions
from training.config.data import SplitAtRandom, SplitByFiles, SplitByTime
from training.config.distribute import check_alone
from training.config.experiment import Experiment
from training.data.cache import digest
from training.data.carried_notes import check_carrying
from training.data.day_files import DAY, DayFiles, write_days
from training.data.days import DayClock, shown_day
from training.data.encode import columns_of, labels_of
from training.data.experiment_log import kinds_of, open_log, required_columns
from training.display import Display
from training.own_process import KilledError, in_own_process
from training.reports.backtest import Scored, backtest_page, lines
from training.sweeps.run_trial import finished

REPORT, RESULTS, DAYS = "report.html", "results.json", "days"
TRAINING = "training.commands.backtest_day"
Mode = Literal["full", "incremental"]
COSTS = ("seconds", "processor_seconds", "export_seconds", "rows", "epochs")


@dataclass(frozen=True)
class Backtest:
    """A finished backtest.

    Attributes
    ----------
    days
        One entry for each mode, seed and scored day: metrics by task, and the cost of the model that scored it.
    report
        Path of the HTML report.
    """

    days: list[Scored]
    report: Path

    def to_frame(self) -> pd.DataFrame:
        """One row for each mode, seed and scored day, with metrics as ``TASK.METRIC``."""
        flat = [
            {
                **{name: value for name, value in asdict(day).items() if name != "tasks"},
                **{f"{task}.{name}": value for task, report in day.tasks.items() for name, value in report.items()},
            }
            for day in self.days
        ]
        return pd.DataFrame(flat)


def backtest(
    config: Config,
    data: Data = None,
    *,
    days: int,
    output: str | Path,
    modes: Sequence[Mode] = ("full", "incremental"),
    every: int = 1,
    window: int | None = None,
    validation: float = 0.05,
    validation_days: int | None = None,
    seeds: int = 1,
    progress: Progress = True,
) -> Backtest:
    """Score each of the last days with a model that was trained on the days before it.

    Called again with the same arguments, it goes on after the last day that it finished.

    Parameters
    ----------
    config
        The path of a YAML file, its content as a dict, or an ``Experiment``. A split by time, which the days take the
        place of, is replaced by a random one, and so is a split by files, which may hold rows of the days to score.
    data
        A DataFrame, an Arrow table, or files, folders and globs; by default the config's.
    days
        Number of days to score, from the end of the log.
    output
        Folder of the models and the report.
    modes
        ``full``: train from scratch on all days before. ``incremental``: train the first model so, and each later one
        on from the one before, on the days since.
    every
        Train every so many days; a model scores the days until the next one.
    window
        Most days that a model from scratch is trained on; by default all.
    validation
        Fraction of the rows that is held out in place of a split by time or by files.
    validation_days
        Hold out the last days of each model's rows instead, whatever the split.
    seeds
        Number of seeds, each with its own models.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If the config is invalid.
    DataError
        If the log cannot be used, or has not more days than are to be scored, or if models cannot be carried on, as
        ``incremental`` asks.
    ValueError
        If an option is out of range, or ``validation_days`` are to be held out of a ``window`` that has no others, or
        of the days since the last model.
    """
    experiment, console, target = experiment_of(config), console_of(progress), Path(output)
    check_alone(experiment.training.distribute, "a backtest")
    for mode in modes:
        require_known(mode, get_args(Mode), "mode", "a way to train")
    for name, value in (
        ("days", days),
        ("every", every),
        ("seeds", seeds),
        ("window", 1 if window is None else window),
        ("validation_days", 1 if validation_days is None else validation_days),
    ):
        if value < 1:
            raise ValueError(f"{name}: must be at least 1, got {value}")
    if validation_days is not None and "incremental" in modes:
        raise ValueError("validation_days: models carried on have no days to spare; use mode full, or validation")
    if validation_days is not None and window is not None and window <= validation_days:
        raise ValueError(f"window: must be more than the {validation_days} day(s) of validation_days, got {window}")
    if "incremental" in modes and days > every:  # a model is carried on
        _check_incremental(experiment)
    source = source_of(experiment, data, target, console)
    log, clock = open_log(experiment, source), DayClock(experiment, 0)
    if clock.column is None:
        raise DataError("a backtest needs days: set daily.day to a column of times, or split by time")
    schema = experiment.log_schema
    statistics = schema.label_statistics
    more = [experiment.evaluation.group_by, statistics.fold_by if statistics else None]
    more += [getattr(experiment.data.split, "column", None), *required_columns(experiment)]
    columns = log.stored_columns(columns_of(schema, [*(name for name in more if name), *weight_columns(schema)]))
    with Display(console) as display:
        display.expect(len(log))
        form = getattr(experiment.data.split, "format", None)
        read = [columns, clock.column, form, kinds_of(experiment), experiment.data.csv.model_dump(mode="json")]
        key = digest(log.fingerprint(), *read)
        files = write_days(log, clock, columns, labels_of(schema), target / DAYS, key, display.rows)
    known = list(files.rows)
    least = 1 + (validation_days or 0)
    if len(known) < days + least:
        needed = "a day" if least == 1 else f"{least} days"
        raise DataError(
            f"--days {days}: the log has {len(known)} day(s) by column {clock.column!r}, and the first model needs "
            f"{needed} before those that are scored; score at most {max(0, len(known) - least)}"
        )
    base = _without_days(experiment, validation, validation_days)
    scored: list[Scored] = []
    for mode in modes:
        for seed in range(base.training.seed, base.training.seed + seeds):
            training = base.training.model_copy(update={"seed": seed})
            chosen = base.model_copy(update={"training": training})
            models = _Models(chosen, mode, target, files, window, console)
            scored += models.scored(known[-days:], every)
    replace_file(target / RESULTS, orjson.dumps([asdict(day) for day in scored], option=orjson.OPT_INDENT_2))
    report = target / REPORT
    report.write_text(backtest_page(scored, every=every, window=window), encoding="utf-8")
    for line in lines(scored):
        console.print(line, markup=False, highlight=False)
    console.print(f"report: {report}", markup=False)
    return Backtest(scored, report)


class _Models:
    """The models of one mode and seed, each in its own folder."""

    def __init__(
        self,
        experiment: Experiment,
        mode: Mode,
        output: Path,
        files: DayFiles,
        window: int | None,
        console: Console,
    ) -> None:
        self._experiment, self._mode, self._files, self._window = experiment, mode, files, window
        self._days, self._console = output / DAYS, console
        self._folders, self._name = output, f"seed-{experiment.training.seed}"

    def scored(self, days: Sequence[int], every: int) -> list[Scored]:
        """Score days; a model is trained before every ``every``-th of them."""
        found: list[Scored] = []
        model: dict[str, Any] = {}
        since: int | None = None
        for start in range(0, len(days), every):
            group = days[start : start + every]
            model = self._model(group, since, model)
            since = group[0]
            for day in group:
                cost = {name: model[name] if day == since else 0 for name in COSTS}
                date, seed = shown_day(day, self._files.unit), self._experiment.training.seed
                scored = Scored(self._mode, seed, day, date, tasks=model["scores"][str(day)], **cost)
                self._console.print(lines([scored])[0], markup=False, highlight=False)
                found.append(scored)
        return found

    def _model(self, group: Sequence[int], since: int | None, before: dict[str, Any]) -> dict[str, Any]:
        """The model of a group of days, of all days before, the last ones, or those since the model ``before``."""
        past = [known for known in self._files.rows if known < group[0]]
        parent = None
        if self._mode == "incremental" and since is not None:
            past, parent = [known for known in past if known >= since], before["artifact"]
        elif self._window is not None:
            past = past[-self._window :]
        experiment = self._experiment
        if parent is None:  # how a model is carried on does not change one from scratch
            experiment = experiment.model_copy(update={"daily": Daily(day=DAY)})
        config = experiment.model_dump(mode="json", by_alias=True)
        key = digest(config, self._files.key, past, group, before["key"] if parent else None)
        for mode in get_args(Mode):  # the first model is the same in all modes
            done = finished(self._folders / mode / self._name / str(group[0]), key)
            if done is not None:
                return done
        paths = {day: str(self._days / str(day)) for day in (*past, *group)}
        return self._run(
            train_and_score,
            experiment.model_dump_json(by_alias=True),
            [paths[day] for day in past],
            str(self._folders / self._mode / self._name / str(group[0])),
            parent,
            key,
            {day: paths[day] for day in group},
        )

    def _run(self, function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        """Call a function of a model in a fresh process. Raises ``DataError`` if that is killed."""
        try:
            result: dict[str, Any] = in_own_process(TRAINING, function, *arguments)
        except KilledError:
            raise DataError(f"{self._mode}: the process of a model was killed; out of memory?") from None
        return result


def _check_incremental(experiment: Experiment) -> None:
    """Raise ``DataError`` for a config whose models cannot be carried on, before any is trained."""
    try:
        check_carrying(experiment)
    except DataError as error:
        raise DataError(f"--mode incremental trains by --from; use --mode full. {error}") from None
    if not experiment.keeps_state:
        raise DataError("export.keep_state: --mode incremental needs the state; set it to true, or use --mode full")


def _without_days(experiment: Experiment, validation: float, validation_days: int | None = None) -> Experiment:
    """The config for rows of single days: days by :data:`DAY`, and a random split in place of one by time or files."""
    changes: dict[str, Any] = {"daily": experiment.daily.model_copy(update={"day": DAY})}
    if validation_days is not None:
        changes["data"] = DataOptions(split=SplitByTime(by="time", column=DAY, last=validation_days))
    elif isinstance(experiment.data.split, SplitByTime | SplitByFiles):
        changes["data"] = DataOptions(split=SplitAtRandom(by="random", fraction=validation))
    else:
        changes["data"] = DataOptions(split=experiment.data.split)
    return experiment.model_copy(update=changes)
