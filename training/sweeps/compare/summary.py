"""Summarises trial results, one row per variation: mean and standard deviation over seeds, and costs."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from ranker.metrics import METRICS, headline, in_lists, title_of
from training.config.task_metrics import name_of
from training.sweeps import Trial


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; the deviation is ``None`` for one seed."""

    mean: float
    deviation: float | None

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.deviation is None else f" ± {self.deviation:.4f}")


@dataclass(frozen=True)
class Row:
    """One variation: quality by task and metric, mean AUC, costs, the first seed's gates and curves, errors."""

    name: str
    values: Mapping[str, str]
    seeds: int
    tasks: Mapping[str, Mapping[str, Spread]]
    mean_auc: Spread | None
    costs: Mapping[str, Any]
    gates: Mapping[str, Any]
    curves: Mapping[str, Any]
    errors: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    def flat(self) -> dict[str, Any]:
        """The varied values, the mean AUC, and each task's metrics as ``TASK.METRIC``; means over seeds."""
        record: dict[str, Any] = {**self.values, "seeds": self.seeds}
        record["mean_auc"] = None if self.mean_auc is None else self.mean_auc.mean
        for task, metrics in self.tasks.items():
            record |= {name_of(task, metric): spread.mean for metric, spread in metrics.items()}
        return {**record, "errors": "; ".join(self.errors)}


def summarise(
    trials: Sequence[Trial], results: Mapping[int, Mapping[str, Any]], costs: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """One row per variation, in the order of the trials."""
    names = list(dict.fromkeys(trial.name for trial in trials))
    compared = [metric.name for metric in METRICS.values() if metric.better is not None]
    rows = []
    for name in names:
        members = [i for i, trial in enumerate(trials) if trial.name == name]
        done = [results[i] for i in members if "error" not in results[i]]
        errors = tuple(f"seed {trials[i].seed}: {results[i]['error']}" for i in members if "error" in results[i])
        tasks = {}
        for task in trials[members[0]].experiment.log_schema.tasks:
            reports = [result["metrics"]["tasks"][task] for result in done]
            lists = dict.fromkeys(key for report in reports for key in in_lists(report))
            spreads = {name: _spread([report.get(name) for report in reports]) for name in (*compared, *lists)}
            tasks[task] = {metric: spread for metric, spread in spreads.items() if spread is not None}
        mean = _spread([result["metrics"]["mean_auc"] for result in done])
        gates, curves = (done[0].get(part, {}) if done else {} for part in ("gates", "curves"))
        rows.append(
            Row(name, trials[members[0]].values, len(done), tasks, mean, costs.get(name, {}), gates, curves, errors)
        )
    return rows


def _spread(values: Sequence[float | None]) -> Spread | None:
    numbers = [value for value in values if value is not None]
    if not numbers or len(numbers) < len(values):
        return None
    return Spread(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None)


COSTS = {
    "dense_parameters": ("dense parameters", "{:,.0f}"),
    "parameters": ("parameters", "{:,.0f}"),
    "flops_per_candidate": ("FLOPs per candidate", "{:,.0f}"),
    "samples_per_second": ("samples/s", "{:,.0f}"),
    "serving_ms": ("serving ms", "{:.2f}"),
}


def columns(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headers and cells of a table: of each task the headline metric and those within lists, mean AUC, costs.

    A task's name alone heads its AUC.
    """
    auc = METRICS["auc"]
    measures: list[tuple[str, str]] = []
    for task in rows[0].tasks:
        found = {name: spread for row in rows for name, spread in row.tasks[task].items()}
        main = headline(found)
        measures += [(task, key) for key in (*([main.name] if main else []), *in_lists(found))]
    headers = ["", *(task if key == auc.name else f"{task} {title_of(key)}" for task, key in measures)]
    headers += [f"mean {auc.title}"]
    headers += [title for title, _ in COSTS.values()]
    lines = []
    for row in rows:
        quality = [str(row.tasks[task].get(key, "-")) for task, key in measures]
        costs = [text.format(row.costs[name]) if name in row.costs else "-" for name, (_, text) in COSTS.items()]
        lines.append([row.name, *quality, str(row.mean_auc or "-"), *costs])
    return headers, lines


def table(rows: Sequence[Row]) -> Table:
    """The table for the terminal."""
    headers, lines = columns(rows)
    drawn = Table(title=f"mean ± standard deviation over {max(row.seeds for row in rows)} seed(s)")
    for column, header in enumerate(headers):
        drawn.add_column(header, justify="right" if column else "left", overflow="fold")
    for line in lines:
        drawn.add_row(*(Text(cell) for cell in line))
    return drawn


def to_markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    headers, lines = columns(rows)
    lines = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    rule = ["---", *["---:"] * (len(headers) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in [headers, rule, *lines])
