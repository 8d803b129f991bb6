"""Trajectories of every balancing method on a two-task problem in the plane, from several starts.

    python -m benchmarks.balancing_toy --output docs/figures

The losses are two crossing quadratic valleys; the second is scaled by 20. The Pareto set is a curve between their
minima, known exactly: ``(w A + (1 - w) B) x = w A a + (1 - w) B b`` for w from 0 to 1.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from training.quiet_imports import quiet_imports

FIRST, SECOND = (-1.0, -0.3), (1.0, 0.3)
FIRST_CURVATURE, SECOND_CURVATURE = ((1.0, 0.8), (0.8, 1.6)), ((1.6, -0.9), (-0.9, 1.0))
SCALE = 20.0
STARTS = ((-2.0, 1.6), (0.0, 2.0), (2.0, 1.2), (-1.6, -1.9), (1.9, -1.6))
RATE = 0.02

Points = NDArray[np.float64]


def pareto_set(points: int = 60) -> Points:
    """Minima of the weighted sums [P, 2]."""
    a, b, first, second = map(np.array, (FIRST, SECOND, FIRST_CURVATURE, SECOND_CURVATURE))
    return np.array(
        [
            np.linalg.solve(w * first + (1 - w) * second, w * first @ a + (1 - w) * second @ b)
            for w in np.linspace(0, 1, points)
        ]
    )


def path(name: str, start: tuple[float, float], steps: int) -> Points:
    """Trajectory [S, 2] of a method with its defaults, under Adam, so that the scale of the weights does not matter."""
    import tensorflow as tf

    from ranker.weighting import Balancer, LabelFacts

    facts = LabelFacts(constant=[1.0, 1.0], untrained=[1.0, 1.0])  # one prior for both, despite their scales
    balancer = Balancer(name, {"first": "regression", "second": "regression"}, facts)
    x = tf.Variable(start, dtype=tf.float32)
    optimizer = tf.keras.optimizers.legacy.Adam(RATE)

    def losses() -> list[Any]:
        away = x - tf.constant([FIRST, SECOND])
        pulled = tf.einsum("tij,tj->ti", tf.constant([FIRST_CURVATURE, SECOND_CURVATURE]), away)
        # never 0, which would mean a task without labels
        each: list[Any] = tf.unstack(tf.constant([1.0, SCALE]) * (0.5 * tf.reduce_sum(away * pulled, axis=1) + 1e-3))
        return each

    @tf.function
    def step() -> Any:
        with balancer.tape() as tape:
            before = losses()
        quality = tf.exp(-tf.stack(before) / tf.constant([1.0, SCALE]))
        tape.step(optimizer, before, [x], shared=[x], quality=quality, look_again=losses)
        return x.read_value()

    return np.array([start, *(step().numpy() for _ in range(steps))])


def gap(point: Points) -> float:
    """Distance of a point from the Pareto set."""
    return float(np.linalg.norm(pareto_set(2000) - point, axis=1).min())


def main(
    output: Annotated[Path, typer.Option(help="Folder for the figure and the results.")],
    steps: Annotated[int, typer.Option(min=1)] = 250,
) -> None:
    """Run every method from every start; write `balancing_toy.svg` and print final distances from the Pareto set."""
    with quiet_imports():
        from ranker.weighting import WEIGHTINGS
    names = sorted(WEIGHTINGS)
    paths = {name: [path(name, start, steps) for start in STARTS] for name in track(names, description="methods")}
    for name in names:
        ends = [each[-1] for each in paths[name]]
        print(json.dumps({"method": name, "gap": round(max(map(gap, ends)), 4), "ends": np.round(ends, 2).tolist()}))
    output.mkdir(parents=True, exist_ok=True)
    _draw(paths, output / "balancing_toy.svg")


def _draw(paths: dict[str, list[Points]], file: Path) -> None:
    import altair as alt

    kept = 8  # thinned for the figure
    ways = [
        {"method": name, "start": start, "order": order, "x": float(x), "y": float(y)}
        for name, each in paths.items()
        for start, way in enumerate(each)
        for order, (x, y) in enumerate(way[::kept].round(3))
    ]
    ends = [{"method": n, "x": float(w[-1][0]), "y": float(w[-1][1])} for n, each in paths.items() for w in each]
    front = [{"order": i, "x": float(x), "y": float(y)} for i, (x, y) in enumerate(pareto_set().round(3))]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-2.3, 2.3]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-2.3, 2.3]))

    curve = alt.Chart(alt.InlineData(values=front)).mark_line(color="#999", strokeWidth=5, opacity=0.5)

    def panel(name: str) -> Any:
        own, last = [r for r in ways if r["method"] == name], [r for r in ends if r["method"] == name]
        return alt.layer(
            curve.encode(x=x, y=y, order="order:Q"),
            alt.Chart(alt.InlineData(values=own))
            .mark_line(strokeWidth=1.2, clip=True)
            .encode(x=x, y=y, order="order:Q", color=alt.Color("start:N", legend=None)),
            alt.Chart(alt.InlineData(values=last)).mark_circle(color="black", size=26, clip=True).encode(x=x, y=y),
        ).properties(width=118, height=118, title=alt.Title(name, fontSize=11))

    chart = alt.concat(*map(panel, sorted(paths)), columns=6, spacing=8).configure_view(stroke="#ddd")
    chart.save(str(file))


if __name__ == "__main__":
    typer.run(main)
