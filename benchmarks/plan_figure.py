"""Draws how far each limit of a plan is used as each of its numbers grows tenfold.

python -m benchmarks.plan_figure docs/figures/plan_growth.svg
"""

from pathlib import Path
from typing import Annotated, Any

import altair as alt
import numpy as np
import typer

from training.planning import PlanInputs, shipped_costs
from training.planning.growth import FACTOR, GROWN, grown
from training.planning.limits import used
from training.planning.unit_costs import read_costs

STEPS = 13
SHARES = alt.Axis(format="~%", values=[0.01, 0.1, 1, 10, 100])
LOWEST = 0.01
"""Shares below are not drawn."""


def main(
    figure: Annotated[Path, typer.Argument(help="Where to write the picture, as SVG.")],
    costs: Annotated[Path | None, typer.Option(help="Unit costs; by default those of the package.")] = None,
) -> None:
    """Draw the default plan's limits."""
    inputs, unit_costs = PlanInputs(), shipped_costs() if costs is None else read_costs(costs)
    records: list[dict[str, Any]] = [
        {"input": name, "times": float(factor), "limit": limit, "used": max(share, LOWEST)}
        for name in GROWN
        for factor in np.geomspace(1, FACTOR, STEPS).round(3)
        for limit, share in used(grown(inputs, name, float(factor)), unit_costs).items()
    ]
    base = alt.Chart(alt.InlineData(values=records))
    lines = base.mark_line().encode(
        x=alt.X("times:Q", title="times", scale=alt.Scale(type="log"), axis=alt.Axis(values=[1, 2, 5, 10])),
        y=alt.Y("used:Q", title="share of the limit", scale=alt.Scale(type="log"), axis=SHARES),
        color=alt.Color("limit:N", title=None, scale=alt.Scale(scheme="category10")),
    )
    once = f"datum.times == 1 && datum.limit == {records[0]['limit']!r}"  # a rule a panel, not one a record
    rule = base.transform_filter(once).mark_rule(strokeDash=[4, 4]).encode(y=alt.datum(1))
    names = [str(name) for name in GROWN]
    chart = (lines + rule).properties(width=200, height=150)
    chart.facet(facet=alt.Facet("input:N", title=None, sort=names), columns=3).save(str(figure))


if __name__ == "__main__":
    typer.run(main)
