"""What rounding alone does to a training, against what two replicas do.

Two replicas take sums in another order than one. So does one replica that is given the rows of each batch in another
order, with the same arithmetic and no exchange: its differences are rounding, and whatever the optimiser makes of it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.workers import METHODS, batch_of, model_of
from ranker.lazy_tensorflow import tf
from ranker.optimizers import OPTIMIZERS

DEVICES = ("CPU:0", "CPU:1")
MADE: dict[str, Callable[[], Any]] = {
    "sgd": lambda: OPTIMIZERS["sgd"].make(learning_rate=0.05),
    "Keras' adagrad, from 0.1": lambda: tf.keras.optimizers.legacy.Adagrad(0.05),
    "adagrad, from 1e-8": lambda: OPTIMIZERS["adagrad"].make(learning_rate=0.05),
}
Arrays = list[NDArray[np.float32]]


def main(
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 20_000,
    batch: Annotated[int, typer.Option(help="Rows of a batch.")] = 1024,
    steps: Annotated[int, typer.Option(help="Steps of each training.")] = 20,
) -> None:
    """Train and print."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(DEVICES)
    table = Table(title=f"largest difference to one replica; {batch:,} rows a step, {steps} steps")
    for name in ("optimiser", "method", "losses, two replicas", "rows moved", "variables, two replicas", "rows moved"):
        table.add_column(name, justify="right")
    for name, make in MADE.items():
        for method in METHODS:
            one, two, moved = (
                _trained(method, make, rows, list(_batches(rows, batch, steps, order)), within)
                for order, within in ((False, None), (False, strategy), (True, None))
            )
            differences = [_largest(one[part], other[part]) for part in (0, 1) for other in (two, moved)]
            table.add_row(name, method, *(f"{difference:.1e}" for difference in differences))
            print(name, method, *differences, file=sys.stderr)
    Console(width=120).print(table)


def _batches(rows: int, size: int, steps: int, moved: bool) -> Iterator[dict[str, Any]]:
    for step in range(steps):
        batch = batch_of(size, rows, step)
        order = np.random.default_rng(step).permutation(size) if moved else slice(None)
        yield {name: array[order] for name, array in batch.items()}


def _trained(
    method: str, make: Callable[[], Any], rows: int, batches: list[dict[str, Any]], strategy: Any
) -> tuple[Arrays, Arrays]:
    """Losses of each step, and the variables after the last."""
    from training.distribution.reading import signature_of

    with nullcontext() if strategy is None else strategy.scope():
        model = model_of(method, rows, make)
    signature = signature_of(batches[0])
    iterator = iter(tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature))
    step = model.make_train_function()
    losses = [step(iterator)["losses"].numpy() for _ in batches]
    return losses, [variable.numpy() for variable in model.trainable_variables]


def _largest(first: Arrays, second: Arrays) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(first, second, strict=True))


if __name__ == "__main__":
    typer.run(main)
