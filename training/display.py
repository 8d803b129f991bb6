"""Terminal output of a run: progress bars, one line per epoch, metric tables."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ranker.metrics import METRICS, headline, in_lists, title_of
from ranker.student import Agreement
from training.progress_listener import RunListener

AGREEMENT = ("share", "scored in full", "NDCG@10", "recall of the top 10", "regret", "time")
"""Headers of :func:`agreement_lines`; time is that of scoring, relative to the full model alone."""

if TYPE_CHECKING:  # a progress bar should not import TensorFlow
    from ranker.log_files.log_reader import Log
    from training.config.metric_names import Metric
    from training.evaluation.model_summary import Block


def live(console: Console) -> bool:
    """Whether the console supports live updates; a notebook without ipywidgets gets plain lines."""
    return not console.is_jupyter or find_spec("ipywidgets") is not None


def bars(console: Console, *columns: ProgressColumn) -> Progress:
    """Progress bars that disappear when done."""
    return Progress(*columns, console=console, transient=True, disable=not live(console))


@contextmanager
def status(console: Console, text: str) -> Iterator[None]:
    """Show a status message while the block runs."""
    if not live(console):
        console.print(text, markup=False)
        yield
        return
    with console.status(text):
        yield


class Display:
    """Progress bars for rows and steps, one line per epoch."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._console = console
        self._progress = bars(console, *columns, TextColumn("{task.fields[detail]}"))
        self._tasks: dict[str, TaskID] = {}
        self._expected: int | None = None
        self._model = ""

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def listener(self) -> RunListener:
        """Callbacks of a training run that show its progress here."""
        return RunListener(self.rows, self.note, self.step, self.refit_step, self.epoch, self.model)

    def expect(self, rows: int) -> None:
        """Set the number of rows each stage will read; 0 if unknown."""
        self._expected = rows or None

    def rows(self, stage: str, rows: int) -> None:
        """Advance a stage."""
        self._progress.advance(self._bar(stage, self._expected), rows)

    def model(self, name: str) -> None:
        """Name the model whose steps and epochs follow, in front of them; bars of the one before disappear."""
        self._model = f"{name}, "
        for bar in self._tasks.values():
            self._progress.update(bar, visible=False)

    def step(self, epoch: int, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Show a training step."""
        self._step(f"{self._model}epoch {epoch}", step, steps, losses)

    def refit_step(self, epoch: int, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Show a step of the second training."""
        self._step(f"refit: {self._model}epoch {epoch}", step, steps, losses)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Print an epoch's validation metrics."""
        parts = []
        for task, report in record["tasks"].items():
            metric = headline(report)
            value = None if metric is None else report[metric.name]
            parts.append(f"{task} {metric.name if metric else ''} " + ("-" if value is None else f"{value:.4f}"))
        mean = record["mean_auc"]
        mark = "  [green]best so far[/green]" if record["best"] else ""
        self._console.print(
            f"{self._model}epoch {record['epoch']}: "
            + "  ".join(parts)
            + (f"  mean auc {mean:.4f}" if mean else "")
            + mark
        )

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    def _step(self, name: str, step: int, steps: int, losses: Mapping[str, float]) -> None:
        detail = "  ".join(f"{task} {loss:.4f}" for task, loss in losses.items())
        self._progress.update(self._bar(name, steps), completed=step, detail=detail)

    def _bar(self, name: str, total: int | None) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, detail="")
        return self._tasks[name]


def show_notes(console: Console, *logs: "Log") -> None:
    """Print the notes of logs, such as skipped files."""
    for log in logs:
        for note in log.notes:
            console.print(note, markup=False)


def whole(table: Table) -> Table:
    """The table, of whose cells a narrow terminal breaks the long ones, and cuts none."""
    for column in table.columns:
        column.overflow = "fold"
    return table


def metrics_table(metrics: Mapping[str, Any], title: str) -> Table:
    """Metrics by task; ± is half the width of the 95 % bootstrap interval, if computed."""
    table = Table(title=title)
    reports = metrics["tasks"].values()
    columns = [m for m in METRICS.values() if m.in_terminal and any(m.name in report for report in reports)]
    table.add_column("task", no_wrap=True, overflow="fold")
    for metric in columns:
        table.add_column(metric.column, justify="right")
    lists = list(dict.fromkeys(key for report in reports for key in in_lists(report)))
    for key in lists:
        table.add_column(title_of(key), justify="right")
    table.add_column("rows", justify="right")
    for task, report in metrics["tasks"].items():
        cells = [with_interval(report, key) for key in (*(metric.name for metric in columns), *lists)]
        table.add_row(task, *cells, f"{report['rows']:,}")
    return whole(table)


def groups_table(headers: Sequence[str], lines: Sequence[Sequence[str]], title: str) -> Table:
    """Metrics by groups of a feature, a line for each group and task; of metrics, as many as terminals show."""
    table, hidden = Table(title=title), {metric.title for metric in METRICS.values() if not metric.in_terminal}
    shown = [place for place, header in enumerate(headers) if header not in hidden]
    for place in shown:
        table.add_column(headers[place], justify="left" if place < 2 else "right")
    for line in lines:
        table.add_row(*(line[place] for place in shown))
    return whole(table)


def rankings_table(rankings: Mapping[str, Any], metrics: "Sequence[Metric]") -> Table:
    """Metrics of rankings within lists, one column per ranking; ± is half the width of the 95 % bootstrap interval."""
    title = f"rankings of {rankings['rows']:,} rows in {rankings['lists']:,} lists by {', '.join(rankings['list_by'])}"
    own, table = "own score", Table(title=title)
    cells: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for metric in metrics:
        ranking = metric.fusion if metric.fusion is not None else f"{metric.by} score" if metric.by else own
        cells.setdefault((metric.column, metric.short_title), {})[ranking] = rankings["metrics"][metric.name]
    columns = list(dict.fromkeys(ranking for line in cells.values() for ranking in line))
    for header in ("measured against", "metric"):
        table.add_column(header, no_wrap=True, overflow="fold")
    for header in (*columns, "lists"):
        table.add_column(header, justify="right")
    for (column, of), line in cells.items():
        reports = {
            name: {"value": found["value"], "value_interval": found.get("interval")} for name, found in line.items()
        }
        shown = [with_interval(reports.get(name, {}), "value") for name in columns]
        table.add_row(column, of, *shown, f"{next(iter(line.values()))['lists']:,}")
    return whole(table)


def blocks_table(blocks: "Sequence[Block]", title: str) -> Table:
    """Blocks, indented by depth."""
    table = Table(title=title)
    for header in ("block", "kind", "output"):
        table.add_column(header, overflow="fold")
    for header in ("parameters", "FLOPs per request", "FLOPs per candidate"):
        table.add_column(header, justify="right")
    for block in blocks:
        name = "  " * block.depth + block.path.rpartition("/")[2]
        numbers = (block.parameters, block.flops_per_request, block.flops_per_candidate)
        table.add_row(name, block.kind, block.shape, *(f"{number:,}" for number in numbers))
    return whole(table)


def gates_table(gates: Mapping[str, Any]) -> Table:
    """Each gate's mean expert weights on validation rows, and their entropy."""
    table = Table("gate", "entropy", "mean weight of each expert", title="gates")
    for view in gates["gates"]:
        weights = "  ".join(f"{expert} {weight:.2f}" for expert, weight in view["weights"].items())
        table.add_row(view["gate"], f"{view['entropy']:.2f}", weights)
    return whole(table)


def agreement_table(agreement: Agreement, keep: float) -> Table:
    """Agreement of rankings in two stages with the full model's, by share kept."""
    title = f"{agreement.count:,} {agreement.lists} lists of {agreement.candidates:,.0f} candidates on average"
    table = Table(*AGREEMENT, title=title)
    for line in agreement_lines(agreement, keep):
        table.add_row(*line)
    return whole(table)


def agreement_lines(agreement: Agreement, keep: float) -> list[list[str]]:
    """One line of cells per share, under the headers ``AGREEMENT``; the default share is marked."""
    return [
        [
            f"{point.share:g}{' (default)' if point.share == keep else ''}",
            f"{point.kept:.1%}",
            "undefined" if point.ndcg is None else f"{point.ndcg:.5f}",
            f"{point.recall:.4f}",
            f"{point.regret:.3g}",
            "" if point.cost is None else f"{point.cost:.2f}",
        ]
        for point in agreement.points
    ]


def text_table(title: str, headers: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    """A table of plain texts, of which a narrow terminal breaks the long ones, and hides none."""
    table = Table(title=Text(title))
    for header in headers:
        table.add_column(Text(header), overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def with_interval(report: Mapping[str, Any], name: str, between: str = "\n", missing: str = "") -> str:
    """Format a metric of a task's report, with half the width of its interval if it has one."""
    value = report.get(name)
    if value is None:
        return missing
    low, high = report.get(f"{name}_interval") or (None, None)
    return f"{value:.4f}" + ("" if low is None or high is None else f"{between}±{(high - low) / 2:.4f}")
