"""Draws the curves of a backtest, and prints its table with differences paired by day.

python -m benchmarks.backtest_figure runs/backtest/results.json docs/figures/backtest.svg
"""

import json
from pathlib import Path
from typing import Annotated, Any

import altair as alt
import numpy as np
import typer

from benchmarks.paired import Scores, of_backtest, paired

SHOWN = {"full": "from scratch on all days", "incremental": "on from the day before"}


def main(
    results: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The backtest's results.json.")],
    figure: Annotated[Path, typer.Argument(help="Where to write the curves, as SVG.")],
) -> None:
    """Draw and print."""
    days: list[dict[str, Any]] = json.loads(results.read_text())
    scores, last = of_backtest(days), max(day["day"] for day in days)
    dates = {day["day"] - last: day["date"] for day in days}
    for mode, of in scores.items():
        costs = [day for day in days if day["mode"] == mode]
        print(f"{mode}: mean AUC by day, then over all days")
        for day, date in dates.items():
            own = [np.mean(list(tasks.values())) for (each, _), tasks in of.items() if each == day]
            work = [cost["rows"] * cost["epochs"] for cost in costs if cost["day"] - last == day]
            print(f"  {date}: {np.mean(own):.4f}, seeds {', '.join(f'{value:.4f}' for value in own)}; ", end="")
            print(f"rows x epochs {np.mean(work):,.0f}; processor seconds ", end="")
            print(", ".join(f"{cost['processor_seconds']:.0f}" for cost in costs if cost["day"] - last == day))
        print(f"  {np.mean([np.mean(list(tasks.values())) for tasks in of.values()]):.4f}")
    if len(scores) == 2:
        first, other = scores
        later = {key: tasks for key, tasks in scores[other].items() if key[0] != min(dates)}  # the first one is shared
        mean, half = paired(later, scores[first])
        print(f"{other} - {first}, days after the first: {mean:+.4f} ± {half:.4f}")
    _draw(scores, dates, figure)


def _draw(scores: dict[str, Scores], dates: dict[int, str], figure: Path) -> None:
    records: list[dict[str, Any]] = [
        {"date": dates[day], "trained": SHOWN[mode], "AUC": value, "of": name}
        for mode, of in scores.items()
        for (day, _), tasks in of.items()
        for name, value in [("mean", float(np.mean(list(tasks.values())))), *tasks.items()]
    ]
    base = alt.Chart(alt.InlineData(values=records)).encode(
        x=alt.X("date:O", title=None, axis=alt.Axis(labelAngle=0)), color=alt.Color("trained:N", title=None)
    )
    lines = base.mark_line().encode(y=alt.Y("mean(AUC):Q", title="AUC", scale=alt.Scale(zero=False)))
    points = base.mark_circle(opacity=0.5).encode(y=alt.Y("AUC:Q", scale=alt.Scale(zero=False)))
    names = list(dict.fromkeys(str(record["of"]) for record in records))
    chart = (lines + points).properties(width=260, height=150)
    chart.facet(facet=alt.Facet("of:N", title=None, sort=names), columns=3).resolve_scale(y="independent").save(
        str(figure)
    )


if __name__ == "__main__":
    typer.run(main)
