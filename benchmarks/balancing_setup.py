"""What every contestant of the balancing benchmark trains: one batch after another of a made-up log, four tasks.

It needs NumPy only: the peers' environment has no `ranker`. Times of a step do not depend on what the numbers are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Balancing:
    """Features, layers and batches; PLE has two levels, MMoE as many experts as PLE has on one."""

    categorical: int = 24
    vocabulary: int = 4000
    """Of each categorical column; all share one table."""
    dimension: int = 16
    numeric: int = 40
    tasks: tuple[str, ...] = ("click", "long_view", "like", "follow")
    experts: int = 6
    expert_units: tuple[int, ...] = (256, 128)
    tower_units: tuple[int, ...] = (64,)
    learning_rate: float = 1e-3
    batch_size: int = 4096
    batches: int = 8
    threads: int = 2


SETUP = Balancing()


Floats = npt.NDArray[np.float32]


def batches(setup: Balancing = SETUP) -> list[tuple[npt.NDArray[np.int32], Floats, Floats]]:
    """Ids [B, C] from 0 on, numbers [B, D] and labels [B, T] of each batch, the same for every contestant."""
    random = np.random.default_rng(0)
    rates = np.array([0.4, 0.3, 0.02, 0.01])
    made = []
    for _ in range(setup.batches):
        ids = random.integers(0, setup.vocabulary, (setup.batch_size, setup.categorical), dtype=np.int32)
        ids += np.arange(setup.categorical, dtype=np.int32) * setup.vocabulary
        numbers = random.normal(size=(setup.batch_size, setup.numeric)).astype(np.float32)
        made.append((ids, numbers, (random.random((setup.batch_size, len(setup.tasks))) < rates).astype(np.float32)))
    return made
