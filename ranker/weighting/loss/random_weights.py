"""Random weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from zlib import crc32

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, Evidence, LabelFacts, LossWeigher, WeightingOptions


@WEIGHTINGS.register("random")
class RandomWeights(LossWeigher):
    """``w = T softmax(z)``, where z is drawn from a normal distribution in each step. Lin et al., TMLR 2022.

    A baseline for all balancing methods. A draw depends on the seed, the step and the task's name, so that a resumed
    run continues with the same weights.
    """

    asynchronous = True

    class Options(WeightingOptions):
        """Seed and spread of the weights."""

        name: Literal["random"] = "random"
        deviation: float = Field(1.0, ge=0, le=10, description="Standard deviation of z; 0: equal weights.")
        seed: int = Field(0, ge=0, le=2**31 - 1)

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the step counter."""
        self._marks = [crc32(name.encode()) % 2**31 ^ self.options.seed for name in tasks]
        self._step = tf.Variable(0, trainable=False, name="random_step")

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Weights [T] summing to T."""
        step = self._step.assign_add(1)
        draws = tf.stack([tf.random.stateless_normal([], tf.stack([mark, step])) for mark in self._marks])
        return len(self._marks) * tf.nn.softmax(self.options.deviation * tf.cast(draws, losses.dtype))
