"""The synthetic experiment of the MMoE paper: two regressions with a given correlation, three sharing architectures.

    python -m benchmarks.mmoe_synthetic --output docs/figures

Ma et al., KDD 2018, section 3: x ~ N(0, I) in 100 dimensions, w_1 and w_2 of equal length with cosine p, and
y_k = w_k'x + sum_i sin(a_i w_k'x + b_i) + noise. Shared bottom, OMoE and MMoE have about equally many parameters: 8
experts of 16 units, or one bottom of 113; towers of 8. All see the same stream of fresh rows under the same seed.
"""

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from training.quiet_imports import TRAINING, import_quietly

DIMENSIONS = 100
SINES = 4
SCALE = 1.0
NOISE = 0.01
BATCH = 128
RATE = 3e-3
TASKS = ["first", "second"]
MODELS: dict[str, dict[str, Any]] = {
    "shared_bottom": {"bottom": (113,), "towers": (8,)},
    "omoe": {"experts": 8, "expert_units": (16,), "towers": (8,)},
    "mmoe": {"experts": 8, "expert_units": (16,), "towers": (8,)},
}


def final_loss(model: str, correlation: float, seed: int, steps: int) -> float:
    """Mean squared error, averaged over the tasks, on fresh rows after training."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np
    import tensorflow as tf

    from ranker.architectures import ARCHITECTURES
    from ranker.layers import Sides

    tf.config.threading.set_intra_op_parallelism_threads(1)
    random = np.random.default_rng(seed)
    first, second = np.linalg.qr(random.normal(size=(DIMENSIONS, 2)))[0].T
    weights = SCALE * np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * second], axis=1)
    kernel = tf.constant(weights, tf.float32)
    a, b = (tf.constant(random.normal(size=SINES) * s, tf.float32) for s in (2.0, 2.0))

    def rows(number: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
        x = tf.random.stateless_normal([size, DIMENSIONS], seed=tf.stack([seed, number]))
        noise = tf.random.stateless_normal([size, 2], seed=tf.stack([seed + 1_000_000, number]), stddev=NOISE)
        linear = tf.matmul(x, kernel)
        return x, linear + tf.reduce_sum(tf.sin(linear[:, :, None] * a + b), axis=2) + noise

    tf.keras.utils.set_random_seed(seed)
    kind = ARCHITECTURES[model]
    net = kind(TASKS, kind.Options(**MODELS[model]))
    context = tf.zeros([1, 0])
    net(Sides(context, tf.zeros([1, DIMENSIONS])))
    variables = net.trainable_variables
    optimizer = tf.keras.optimizers.legacy.Adam(RATE)
    optimizer._create_all_weights(variables)

    def loss_of(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean((net(Sides(context, x)) - y) ** 2)

    @tf.function
    def train(count: tf.Tensor) -> None:
        for number in tf.range(count):
            x, y = rows(number, BATCH)
            with tf.GradientTape() as tape:
                loss = loss_of(x, y)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    train(tf.constant(steps))
    return float(np.mean([loss_of(*rows(tf.constant(10_000_000 + i), 4096)) for i in range(5)]))


def main(
    output: Annotated[Path, typer.Option(help="Folder for the results and the figure.")],
    seeds: Annotated[int, typer.Option(min=1)] = 20,
    steps: Annotated[int, typer.Option(min=1, help="Batches of 128 rows.")] = 4_000,
    correlation: Annotated[list[float] | None, typer.Option(help="Cosines of the tasks' weights.")] = None,
    jobs: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
) -> None:
    """Train every model with every seed and correlation; print means, write `mmoe_synthetic.json` and `.svg`."""
    correlations = correlation or [0.0, 1.0]
    output.mkdir(parents=True, exist_ok=True)
    kept = output / f"mmoe_synthetic_{steps}.jsonl"
    done = (
        {tuple(cell): loss for cell, loss in map(json.loads, kept.read_text().splitlines())} if kept.is_file() else {}
    )
    cells = [(m, p, seed) for seed in range(seeds) for m, p in product(MODELS, correlations)]
    pending = [cell for cell in cells if cell not in done]
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(jobs, mp_context=spawn, initializer=import_quietly, initargs=(TRAINING,)) as pool,
        kept.open("a") as file,
    ):
        futures = {pool.submit(final_loss, *cell, steps): cell for cell in pending}
        for future in track(as_completed(futures), total=len(pending), description="trainings"):
            done[futures[future]] = future.result()
            file.write(json.dumps([futures[future], future.result()]) + "\n")
            file.flush()
    losses = {(m, p): [done[m, p, seed] for seed in range(seeds)] for m, p in product(MODELS, correlations)}
    content = [{"model": m, "correlation": p, "losses": values} for (m, p), values in losses.items()]
    (output / "mmoe_synthetic.json").write_text(
        json.dumps({"seeds": seeds, "steps": steps, "batch": BATCH, "results": content}, indent=1) + "\n"
    )
    _report(losses, correlations)
    _draw(losses, output / "mmoe_synthetic.svg")


def _report(losses: dict[tuple[str, float], list[float]], correlations: list[float]) -> None:
    import numpy as np

    for p in correlations:
        shown = []
        for model in MODELS:
            values = np.array(losses[model, p])
            shown.append(f"{model} {values.mean():.4f} ± {values.std(ddof=1) / len(values) ** 0.5:.4f}")
        order = " < ".join(sorted(MODELS, key=lambda m: float(np.mean(losses[m, p]))))
        wins = np.mean(np.array(losses["mmoe", p]) < np.array(losses["omoe", p]))
        Console().print(f"correlation {p}: {', '.join(shown)}; {order}; MMoE below OMoE in {wins:.0%} of seeds")


def _draw(losses: dict[tuple[str, float], list[float]], path: Path) -> None:
    import altair as alt

    records = [{"model": m, "correlation": f"{p:g}", "loss": v} for (m, p), values in losses.items() for v in values]
    base = alt.Chart(alt.InlineData(values=records)).encode(
        x=alt.X("model:N", sort=list(MODELS), title=None), color=alt.Color("model:N", sort=list(MODELS), legend=None)
    )
    dots = base.mark_circle(opacity=0.4, size=28).encode(
        y=alt.Y("loss:Q", title="final loss", scale=alt.Scale(type="log"))
    )
    means = base.mark_tick(thickness=3, width=34).encode(y="mean(loss):Q")
    chart = alt.layer(dots, means).properties(width=150, height=260)
    chart.facet(column=alt.Column("correlation:N", title="correlation of the two tasks")).save(str(path))


if __name__ == "__main__":
    typer.run(main)
