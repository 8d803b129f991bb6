"""Setup shared by all contestants of the balancing benchmark: sizes, and batches of random data with four tasks.

Needs only NumPy: the peers' environment has no `ranker`. Step times do not depend on the values.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Balancing:
    """Features, layers and batches. PLE has two levels; MMoE has as many experts as one of them."""

    categorical: int = 24
    vocabulary: int = 4000
    """Vocabulary size of each categorical column; all share one table."""
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
    """Ids [B, C] from 0, numbers [B, D] and labels [B, T] of each batch, the same for every contestant."""
    random = np.random.default_rng(0)
    rates = np.array([0.4, 0.3, 0.02, 0.01])
    made = []
    for _ in range(setup.batches):
        ids = random.integers(0, setup.vocabulary, (setup.batch_size, setup.categorical), dtype=np.int32)
        ids += np.arange(setup.categorical, dtype=np.int32) * setup.vocabulary
        numbers = random.normal(size=(setup.batch_size, setup.numeric)).astype(np.float32)
        made.append((ids, numbers, (random.random((setup.batch_size, len(setup.tasks))) < rates).astype(np.float32)))
    return made
