"""``ranker-train online``: runs a search on live traffic, round by round."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import yaml
from rich.console import Console
from rich.progress import BarColumn, TextColumn

from ranker.artifact import Artifact
from ranker.file_locks import lock
from ranker.files import replace_file
from ranker.fusion import Plan
from ranker.registry import alternatives
from training.admin_client import ServiceError
from training.commands.inputs import Progress, artifact_of, console_of
from training.config.experiment import ConfigError
from training.config.online import Online, load_online
from training.display import bars, text_table
from training.fusion_search.space import Space, space
from training.online.actions import Done, Serve, Wait
from training.online.models_file import with_experiment
from training.online.plan_rounds import planned
from training.online.read_logs import LogObservations
from training.online.runner import Runner
from training.online.search import Search
from training.online.served import experiment
from training.online.services import Services
from training.online.size import Traffic, size_lines
from training.online.state import BETTER, Outcome, Round, Store
from training.online.winner import check_name, export, plan_of, to_yaml
from training.online_methods import ONLINE_METHODS
from training.reports.online import gain_lines, headers, status, to_html

PAGE, WINNER_FILE, LOCK = "search.html", "winner.yaml", "search.lock"
RETRY = timedelta(minutes=1)
"""Longest time until a service that could not be asked is asked again."""
LOOK_BACK = timedelta(days=7)
"""Traffic that the size of rounds is computed from."""

OnlineConfig: TypeAlias = Online | str | Path
Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True)
class OnlineRun:
    """What a run of the command has come to.

    Attributes
    ----------
    outcome
        How the search ended; ``None`` while it goes on.
    rounds
        All rounds.
    artifact
        The exported version with the winner, if there is one.
    """

    outcome: Outcome | None
    rounds: list[Round]
    artifact: Artifact | None = None


def online(
    config: OnlineConfig,
    *,
    output: str | Path,
    once: bool = False,
    dry_run: bool = False,
    replace: bool = False,
    progress: Progress = True,
    clock: Clock = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> OnlineRun:
    """Search for better parameters of a fusion on the users of running services.

    Call it again to go on with a search that was interrupted.

    Parameters
    ----------
    config
        The config, or the path of its YAML file.
    output
        Folder of the state, the page and the winner.
    once
        Take the steps that are due, and return, instead of waiting for the end.
    dry_run
        Print what would be done; nothing is written and no service is asked.
    replace
        Replace an experiment in the models file that is not of this search.
    progress
        Whether to show progress, or the Rich console to show it on.
    clock, sleep
        Tell the time, and wait for some seconds.

    Raises
    ------
    ConfigError
        If the config does not fit the artifact, the models file or the folder.
    ServiceError
        If a service cannot be asked when the command begins, or refuses the experiment.
    ObservationError
        If a round's time is over and the logs hold nothing of it.
    """
    asked = config if isinstance(config, Online) else load_online(Path(config))
    console, folder = console_of(progress), Path(output)
    artifact = artifact_of(asked.artifact)
    searched = space_of(asked, artifact)
    observations = LogObservations(asked.logs, asked.metrics)
    if dry_run:
        return _shown(asked, searched, observations, folder, console, clock())
    if not asked.logs.exposures.is_dir():
        raise ConfigError(
            f"logs.exposures {asked.logs.exposures}: is no folder; start the service with it as its setting exposures"
        )
    services = Services.of(asked.service)
    with _alone(folder):
        search = Search(asked, searched, Store(folder))
        if search.outcome is None:
            check_name(asked, artifact)
        runner = Runner(search, services, folder, replace=replace)
        runner.check()
        doubts = services.check(artifact) if search.outcome is None else []
        for doubt in doubts:
            console.print(doubt, style="yellow", markup=False)
        _run(runner, observations, folder, console, once, clock, sleep)
        return _finished(search, artifact, folder, console)


def space_of(config: Online, artifact: Artifact) -> Space:
    """The trust region around the artifact's fusion. Raises ``ConfigError`` for parameters that it does not have."""
    try:
        return space(_plan(config, artifact), config.vary, config.trust)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--vary", "vary:", 1).replace("--trust", "trust:", 1)) from None


def _plan(config: Online, artifact: Artifact) -> Plan:
    if config.fusion not in artifact.fusions:
        raise ConfigError(
            f"fusion: {artifact.folder} has no fusion {config.fusion!r}{alternatives(config.fusion, artifact.fusions)}"
        )
    return artifact.fusions[config.fusion]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises ``ConfigError`` if another process runs the search."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as handle:
        if not lock(handle, wait=False):
            raise ConfigError(f"{folder}: another process runs this search")
        yield


def _run(
    runner: Runner,
    observations: LogObservations,
    folder: Path,
    console: Console,
    once: bool,
    clock: Clock,
    sleep: Callable[[float], None],
) -> None:
    search, config = runner.search, runner.search.config
    answered, drawn, problem = False, None, ""
    with bars(console, TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}")) as progress:
        bar = progress.add_task("", total=None, detail="")
        while True:
            known = len(search.rounds)
            try:
                action = runner.step(clock(), observations)
                answered = True
            except ServiceError as error:
                if search.outcome is not None:
                    console.print(
                        f"the experiment could not be ended: {error}; run the command again", style="red", markup=False
                    )
                    return
                if once or not answered:
                    raise
                console.print(f"{error}; trying again", style="yellow", markup=False)
                sleep(min(config.check_every, RETRY).total_seconds())
                continue
            finally:
                if drawn != (search.rounds, search.outcome):
                    page = to_html(config, search.space, search.rounds, search.outcome)
                    replace_file(folder / PAGE, page.encode())
                    drawn = list(search.rounds), search.outcome
            for one in search.rounds[max(known - 1, 0) :]:
                _print_round(one, search, console)
            if isinstance(action, Done):
                return
            if isinstance(action, Serve):
                console.print(f"serving {action.why}", markup=False)
                continue
            if action.problem and action.problem != problem:
                console.print(f"{action.round.experiment}: {action.problem}", style="yellow", markup=False)
            problem = action.problem
            if once:
                return
            done, detail = _progress(action, search, clock())
            progress.update(bar, total=1.0, completed=done, description=action.round.experiment, detail=detail)
            sleep(_pause(action, config.check_every, clock()).total_seconds())


def _pause(action: Wait, check_every: timedelta, now: datetime) -> timedelta:
    """Time until the next look: at the end of the round, if that is sooner."""
    left = check_every if action.until is None else action.until - now
    return max(min(check_every, left), timedelta(seconds=0.1))


def _progress(action: Wait, search: Search, now: datetime) -> tuple[float, str]:
    """Part of the round that is done, and a text."""
    enough = search.config.confirm if action.round.kind == "confirm" else search.config.round
    parts = [1.0]
    if enough.units is not None:
        parts.append(action.counts.units / enough.units)
    if enough.requests is not None:
        parts.append(action.counts.requests / enough.requests)
    done = min(parts) if len(parts) > 1 else 0.0
    if action.until is not None and action.round.started is not None:
        done = max(done, (now - action.round.started) / (action.until - action.round.started))
    return min(done, 1.0), f"{action.counts.units:,} units, {action.counts.requests:,} requests"


def _print_round(one: Round, search: Search, console: Console) -> None:
    if one.measured is None:
        return
    console.print(text_table(one.experiment, headers(search.config, one), gain_lines(search.config, one)))


def _finished(search: Search, artifact: Artifact, folder: Path, console: Console) -> OnlineRun:
    """Write the winner, if the search has one."""
    outcome, exported = search.outcome, None
    console.print(status(search.rounds, outcome), markup=False)
    if outcome is not None and outcome.verdict == BETTER:
        plan = plan_of(search.space, outcome)
        replace_file(folder / WINNER_FILE, to_yaml(search.config, plan, outcome).encode())
        console.print(f"winner: {folder / WINNER_FILE}", markup=False)
        if search.config.export is not None:
            exported = export(search.config, artifact, plan, search.config.export)
            console.print(f"artifact with the fusion {search.config.winner_name}: {exported.folder}", markup=False)
    console.print(f"page: {folder / PAGE}", markup=False)
    return OnlineRun(outcome, list(search.rounds), exported)


def _shown(
    config: Online, searched: Space, observations: LogObservations, folder: Path, console: Console, now: datetime
) -> OnlineRun:
    """Print the round that would be served, what it takes, and the models file."""
    store = Store(folder)
    rounds, outcome = store.rounds(), store.outcome()
    if outcome is not None:
        console.print(status(rounds, outcome), markup=False)
        return OnlineRun(outcome, rounds)
    method = ONLINE_METHODS[config.method.name](config.method, searched.start)
    going_on = bool(rounds) and rounds[-1].measured is None
    one = rounds[-1] if going_on else planned(config, searched, method, rounds)
    today = [f"{dimension.today:.6g}" for dimension in searched.dimensions]
    lines = [["control", f"{one.control:.2%}", *today]]
    for served in one.sets:
        lines.append([served.name, f"{served.share:.2%}", *(f"{value:.6g}" for value in served.values.values())])
    title = f"{one.experiment}, salt {one.salt}"
    console.print(text_table(title, ["group", "share", *one.sets[0].values], lines))
    seen = observations.everybody(now - LOOK_BACK, now - config.logs.within)
    for line in size_lines(config, Traffic.of(seen, LOOK_BACK)):
        console.print(line, markup=False)
    if seen.problem:
        console.print(seen.problem, style="yellow", markup=False)
    content = experiment(config, searched, one)
    with_experiment(config.service.models, content)
    console.print(f"\n{config.service.models} would get this section, and {', '.join(config.service.urls)} be asked to")
    console.print("reload it (POST /admin/experiment/reload):\n")
    console.print(yaml.safe_dump({"experiment": content}, sort_keys=False), markup=False)
    writable = os.access(config.service.models.absolute().parent, os.W_OK)
    if not writable:
        console.print(f"{config.service.models.absolute().parent} cannot be written to", style="yellow", markup=False)
    return OnlineRun(None, rounds)
