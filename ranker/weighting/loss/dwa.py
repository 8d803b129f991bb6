"""Dynamic weight averaging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, Evidence, LabelFacts, ScaledOptions, present
from ranker.weighting.scaling import ScaledWeigher


@WEIGHTINGS.register("dwa")
class DWA(ScaledWeigher):
    """``w = T softmax(r / temperature)``, where r is the recent ratio of each loss. Liu et al., CVPR 2019.

    r is the mean loss of the last window of steps divided by that of the previous window. The paper's window is an
    epoch, which is too long on a large log. Weights are equal until two windows have passed. The weights ignore the
    scale of losses but multiply unscaled losses, so the largest would dominate: ``scale_by`` removes the scale first.
    """

    class Options(ScaledOptions):
        """Window and temperature."""

        name: Literal["dwa"] = "dwa"
        window: int = Field(100, ge=1, le=1_000_000, description="Steps over which losses are averaged.")
        temperature: float = Field(2.0, gt=0, description="Higher values flatten the weights.")

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the window means [T]."""
        self._scales = self.options.scales(tasks, facts)
        zeros = tf.zeros([len(tasks)])
        self._sum, self._seen, self._before, self._ratio = (
            tf.Variable(value, trainable=False, name=f"window_{name}")
            for name, value in (("sum", zeros), ("seen", zeros), ("before", zeros), ("ratio", zeros + 1))
        )
        self._steps = tf.Variable(0, trainable=False, name="window_steps")

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Weights [T], summing to T before scaling."""
        weights = tf.cast(tf.size(losses), losses.dtype) * tf.nn.softmax(self._ratio / self.options.temperature)
        total, seen = self._sum.assign_add(losses), self._seen.assign_add(present(losses))
        full = self._steps.assign_add(1) >= self.options.window
        mean, before = tf.math.divide_no_nan(total, seen), self._before.read_value()
        comparable = full & (before > 0) & (mean > 0)
        ratio = tf.where(comparable, mean / tf.where(comparable, before, 1.0), self._ratio)
        kept = 1.0 - tf.cast(full, losses.dtype)
        self._ratio.assign(ratio)
        self._before.assign(tf.where(full & (mean > 0), mean, before))
        self._sum.assign(kept * total)
        self._seen.assign(kept * seen)
        self._steps.assign(self._steps * tf.cast(kept, self._steps.dtype))
        return weights * tf.constant(self._scales, losses.dtype)
