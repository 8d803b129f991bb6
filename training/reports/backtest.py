"""The report of a backtest: each objective's metrics by day, and what the models cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.metrics import METRICS
from training.reports import Page
from training.reports.charts import lines as line_chart

CURVES = ("auc", "log_loss", "calibration", "rmse")


@dataclass(frozen=True)
class Scored:
    """A day, scored by a model that was trained on earlier days. The cost is 0 where the model is an earlier day's."""

    mode: str
    seed: int
    day: int
    date: str
    tasks: Mapping[str, Mapping[str, Any]]
    """Metrics by task."""
    seconds: float = 0.0
    """Seconds of reading, training and validating."""
    processor_seconds: float = 0.0
    """The same of all cores together, which other work on the machine hardly changes."""
    export_seconds: float = 0.0
    rows: int = 0
    """Rows that the model was trained on."""
    epochs: int = 0

    @property
    def mean_auc(self) -> float | None:
        """Mean AUC over the binary tasks."""
        aucs = [report["auc"] for report in self.tasks.values() if report.get("auc") is not None]
        return float(np.mean(aucs)) if aucs else None


def lines(days: Sequence[Scored]) -> list[str]:
    """One line for each mode, seed and day."""
    text = []
    for day in days:
        mean = "-" if day.mean_auc is None else f"{day.mean_auc:.4f}"
        cost = (
            f"trained on {day.rows:,} rows, {day.epochs} epoch(s), in {day.seconds:.1f} s"
            if day.rows
            else "by the model of an earlier day"
        )
        text.append(f"{day.mode}, seed {day.seed}, {day.date}: mean AUC {mean}, {cost}")
    return text


def backtest_page(days: Sequence[Scored], every: int, window: int | None) -> str:
    """Metrics and costs by day, means over seeds, as a self-contained page."""
    page = Page("Backtest")
    modes, tasks = list(dict.fromkeys(day.mode for day in days)), list(days[0].tasks)
    dates = sorted({(day.day, day.date) for day in days})
    seeds = len({day.seed for day in days})
    page.text(
        f"{len(dates)} days from {dates[0][1]} to {dates[-1][1]}, each scored by a model of earlier days only. "
        f"Trained every {every} day(s){'' if window is None else f' on at most {window} days'}; {seeds} seed(s)."
    )
    headers = [
        "mode",
        "mean AUC",
        *(f"{task} AUC" for task in tasks),
        "rows trained on",
        "seconds of training",
        "processor seconds",
    ]
    page.table(headers, [_summary(mode, [day for day in days if day.mode == mode], tasks, seeds) for mode in modes])
    for name in CURVES:
        of = [task for task in tasks if any(day.tasks[task].get(name) is not None for day in days)]
        if not of:
            continue
        title = METRICS[name].title
        page.heading(f"{title} by day")
        for task in of:
            records = [
                {"day": place, "trained": mode, title: value}
                for mode in modes
                for place, (day, _) in enumerate(dates, start=1)
                if (value := _mean([d.tasks[task].get(name) for d in days if (d.mode, d.day) == (mode, day)]))
                is not None
            ]
            page.chart(line_chart(records, x="day", y=title, colour="trained", title=task, points=True))
    page.heading("Cost by day")
    for attribute, title in (
        ("processor_seconds", "processor seconds of training"),
        ("seconds", "seconds of training"),
        ("rows", "rows trained on"),
    ):
        records = [
            {
                "day": place,
                "trained": mode,
                title: _mean([getattr(d, attribute) for d in days if (d.mode, d.day) == (mode, day)]),
            }
            for mode in modes
            for place, (day, _) in enumerate(dates, start=1)
        ]
        page.chart(line_chart(records, x="day", y=title, colour="trained", points=True))
    page.heading("Days")
    page.table(["day", "date"], [[str(place), date] for place, (_, date) in enumerate(dates, start=1)])
    return page.html()


def _summary(mode: str, days: Sequence[Scored], tasks: Sequence[str], seeds: int) -> list[str]:
    aucs = [_mean([day.tasks[task].get("auc") for day in days]) for task in tasks]
    shown = ["-" if value is None else f"{value:.4f}" for value in [_mean([d.mean_auc for d in days]), *aucs]]
    rows, seconds, processor = (
        sum(getattr(day, name) for day in days) / seeds for name in ("rows", "seconds", "processor_seconds")
    )
    return [mode, *shown, f"{rows:,.0f}", f"{seconds:,.1f}", f"{processor:,.1f}"]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
