"""``ranker-train search``: scores rows once, searches, evaluates, reports, exports."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from ranker.artifact import Artifact, with_fusions
from ranker.expressions import Expression
from ranker.fusion import DEFAULT, FUSIONS, FusionError, Plan
from ranker.log_files.csv_types import Kind, formula_kinds, of_kind
from ranker.log_files.log_reader import Source
from ranker.registry import alternatives
from training.commands.inputs import Data, Progress, artifact_of, console_of, source_of
from training.config.experiment import ConfigError, Experiment
from training.config.metric_names import Metric, parse_relevance
from training.data.cache import digest
from training.data.experiment_log import open_log
from training.display import Display, bars, show_notes
from training.fusion_search.evaluator import Evaluator
from training.fusion_search.loop import History
from training.fusion_search.loop import search as searched_by
from training.fusion_search.methods import METHODS
from training.fusion_search.objective import Goal, default_goal, parse_goal
from training.fusion_search.scored_rows import ScoredRows, scored_rows
from training.fusion_search.space import Space, space
from training.fusion_search.summary import Evaluators, SearchResult, summarise
from training.reports.search import gain_lines, to_html

REPORT = "search.html"
RESULTS = "search.json"
PARAMETERS = "fusion.yaml"
STATE = "state.npz"
CSV_KINDS: Sequence[tuple[Kind, bool]] = (("number", False), ("id", True))
"""Kinds of the columns of metrics in CSV files: of what rows are worth, and of the items that they show."""


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search; ``None`` means the artifact's own setting."""

    maximise: str | None = None
    require: Sequence[str] = ()
    relevance: Sequence[str] | Mapping[str, str] = ()
    fusion: str = DEFAULT
    formula: str | None = None
    vary: Sequence[str] = ()
    trust: float = 1.0
    method: str = "cross_entropy"
    budget: int = 500
    held_out: float = 0.5
    group_by: str | None = None
    binned: bool = False
    seed: int = 0
    bootstrap: int = 200
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for an unknown method."""
        try:
            METHODS[self.method]
        except KeyError as error:
            raise ConfigError(f"--method {self.method}: {error}") from None


def search(
    artifact: str | Path | Artifact,
    data: Data = None,
    options: SearchOptions | None = None,
    *,
    output: str | Path,
    progress: Progress = True,
) -> SearchResult:
    """Tune the parameters of an artifact's fusion, and write report, numbers and config into ``output``.

    Call it again to resume an interrupted search.

    Parameters
    ----------
    artifact
        A folder that ``fit`` exported to, the folder of one version, or an ``Artifact``.
    data
        A DataFrame, an Arrow table, or files, folders and globs whose validation rows are searched on; by default
        the config's.
    options
        Objective, constraints, fusion and method.
    output
        Folder for the report and the search state.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If an option is invalid for the artifact's fusion.
    DataError
        If the log cannot be used.
    """
    loaded, console, output = artifact_of(artifact), console_of(progress), Path(output)
    experiment = Experiment.model_validate(loaded.manifest.experiment)
    source = source_of(experiment, data, output, console)
    return _searched(loaded, experiment, options or SearchOptions(), source, output, console)


def _searched(
    artifact: Artifact, experiment: Experiment, asked: SearchOptions, source: Source, output: Path, console: Console
) -> SearchResult:
    schema = artifact.schema
    formulas = parse_relevance("--relevance", asked.relevance, {**schema.tasks, **schema.features})
    goal = parse_goal(asked.maximise or default_goal(schema), asked.require, schema, asked.fusion, formulas)
    current = plan_named(artifact, asked.fusion)
    searched = started(current, asked.formula)
    around = space(searched, asked.vary, asked.trust)
    group_by = asked.group_by or experiment.evaluation.group_by
    if group_by is None:
        raise ConfigError("--group-by: name the column whose equal values compete, such as a request or user id")
    log = open_log(experiment, source, artifact.encoder)
    for kind, of_items in CSV_KINDS:
        measured = [metric for metric in goal.metrics if metric.definition.of_items is of_items]
        log = log.typed(of_kind(kind, [metric.column for metric in measured if metric.column not in formulas]))
    log = log.typed(formula_kinds(formulas.values(), schema.tasks))
    show_notes(console, log)
    with Display(console) as display:
        display.expect(len(log))
        more = _columns(artifact, goal, formulas, [current, searched])
        rows, key = scored_rows(artifact, log, group_by, sorted(set(more.values())), output, display.rows)
    rows = rows.renamed(more).with_relevance(formulas)
    parts = rows.halves(asked.held_out, asked.seed)
    halves = [_halves(current, searched, part, goal, asked) for part in parts]
    exact = halves
    if asked.binned:
        exact = [_halves(current, searched, part, goal, replace(asked, binned=False)) for part in parts]
    key_of_search = digest(
        key, goal.text, [c.text for c in goal.constraints], current.stored().model_dump(mode="json"),
        searched.stored().model_dump(mode="json"), [str(d) for d in around.dimensions], asked.method,
        asked.budget, asked.held_out, asked.binned, asked.seed,
        *({name: expression.text} for name, expression in formulas.items()),
    )  # fmt: skip
    return run(goal, around, halves, exact, key_of_search, asked, output, console)


def run(
    goal: Goal[Any],
    around: Space,
    halves: Sequence[Evaluators],
    exact: Sequence[Evaluators],
    key: str,
    asked: SearchOptions,
    output: Path,
    console: Console,
) -> SearchResult:
    """Search on the first half, measure the best set on both, and write report, numbers and config.

    ``exact`` measure what the search measured roughly. Raises ``ConfigError`` if no set meets the constraints.
    """
    baseline = halves[0].baseline.baseline()
    with _bar(console) as progress:
        bar = progress.add_task(asked.method, total=asked.budget, detail="")

        def show(tried: int, best: float) -> None:
            progress.update(bar, completed=tried, detail=f"best {best:.5f}" if best > -1e5 else "none feasible yet")

        history = searched_by(
            asked.method, around.start, goal, baseline, lambda points: halves[0].searched(around.sets(points)),
            budget=asked.budget, seed=asked.seed, state=output / STATE, key=key, progress=show,
        )  # fmt: skip
    _check_feasible(history, goal, baseline)
    result = summarise(goal, asked.method, around, history, exact[0], exact[1], asked.bootstrap, asked.seed)
    _write(output, result, goal, around.plan)
    _print(result, console, output)
    return result


def export_found(
    artifact: str | Path | Artifact, asked: SearchOptions, result: SearchResult, output: str | Path
) -> Artifact:
    """Export the artifact with the best parameters as the next version under ``output``."""
    loaded, output = artifact_of(artifact), Path(output)
    plan = _at(started(plan_named(loaded, asked.fusion), asked.formula), result)
    experiment = dict(loaded.manifest.experiment)
    options = plan.stored().options.model_dump(mode="json")
    if asked.fusion == DEFAULT:
        experiment["fusion"] = options
    else:
        experiment["fusions"] = {**experiment.get("fusions", {}), asked.fusion: options}
    return with_fusions(loaded, {**loaded.fusions, asked.fusion: plan}, experiment, output)


def _at(plan: Plan, result: SearchResult) -> Plan:
    """The plan with the parameters that a search has found."""
    return plan.replaced(result.parameters).with_rerank(result.rerank)


def plan_named(artifact: Artifact, name: str) -> Plan:
    """A fusion of the artifact. Raises ``ConfigError`` for an unknown one."""
    if name not in artifact.fusions:
        raise ConfigError(f"--fusion {name}: the artifact has no such fusion{alternatives(name, artifact.fusions)}")
    return artifact.fusions[name]


def started(current: Plan, formula: str | None) -> Plan:
    """The fusion that a search starts from: with another formula, if one is asked for. Raises ``ConfigError``."""
    if formula is None or formula == current.fusion.name:
        return current
    try:
        return current.with_formula(formula, {})
    except FusionError as error:
        raise ConfigError(f"--formula {formula}: {error} (formulas: {', '.join(FUSIONS)})") from None


def _columns(
    artifact: Artifact, goal: Goal[Metric], formulas: Mapping[str, Expression], plans: Sequence[Plan]
) -> dict[str, str]:
    """Log columns by feature or metric name: features that fusions read, values used by metrics and formulas."""
    features = {feature: artifact.schema.column(feature) for plan in plans for feature in plan.features}
    read = [metric.column for metric in goal.metrics if metric.column not in formulas]
    read += [name for expression in formulas.values() for name in expression.names]
    return {**features, **{column: column for column in read if column not in artifact.schema.tasks}}


def _halves(current: Plan, searched: Plan, rows: ScoredRows, goal: Goal[Metric], asked: SearchOptions) -> Evaluators:
    ways: Mapping[str, Any] = {"binned": asked.binned, "jobs": asked.jobs}
    one = Evaluator(current, rows, goal.metrics, **ways)
    return Evaluators(one, one if searched is current else Evaluator(searched, rows, goal.metrics, **ways))


def _check_feasible(history: History, goal: Goal[Any], baseline: Any) -> None:
    least = float(goal.violation(history.measured, baseline).min())
    if least > 0:
        raise ConfigError(
            f"none of {len(history.points)} parameter sets satisfies {' and '.join(c.text for c in goal.constraints)}; "
            f"the closest misses by {least:.3g}: require less, or use a larger --budget or --trust"
        )


def _write(output: Path, result: SearchResult, goal: Goal[Any], plan: Plan) -> None:
    options = _at(plan, result).stored().options
    shown = options.model_dump(mode="json", exclude_defaults=True) | {"name": options.name}
    config = yaml.safe_dump({"fusion": dict(sorted(shown.items(), key=_name_first))}, sort_keys=False)
    (output / PARAMETERS).write_text(config, encoding="utf-8")
    (output / RESULTS).write_bytes(orjson.dumps(result.to_dict(), option=orjson.OPT_INDENT_2))
    (output / REPORT).write_text(to_html(result, goal, config), encoding="utf-8")


def _name_first(item: tuple[str, Any]) -> bool:
    return item[0] != "name"


def _print(result: SearchResult, console: Console, output: Path) -> None:
    for title, half in (("rows searched on", result.search), ("held-out rows", result.held_out)):
        table = Table("", "today", "best", "gain", "95 % interval", title=f"{half.rows:,} {title}")
        for line in gain_lines(half):
            table.add_row(*line[:4], line[4].replace("[", "\\["))
        console.print(table)
    for doubt in result.doubts:
        console.print(doubt, style="yellow", markup=False)
    console.print(
        f"report: [bold]{output / REPORT}[/bold]    paste into the config: [bold]{output / PARAMETERS}[/bold]"
    )


def _bar(console: Console) -> Bars:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return bars(console, *columns, TextColumn("{task.fields[detail]}"))
