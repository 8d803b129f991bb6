"""Learning rates by step: a linear warm-up followed by a Keras schedule."""

from __future__ import annotations

from collections.abc import Callable

from ranker.lazy_tensorflow import tf

SCHEDULES: dict[str, Callable[[float, int, float], Callable[[tf.Tensor], tf.Tensor]]] = {
    "constant": lambda rate, _steps, _final: lambda _step: tf.constant(rate),
    "cosine": lambda rate, steps, final: tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=final),
    "exponential": lambda rate, steps, final: tf.keras.optimizers.schedules.ExponentialDecay(rate, steps, final),
}
"""By config name, a function from (rate, steps, final fraction of the rate) to a schedule."""


def learning_rate(
    step: tf.Variable, rate: float, schedule: str = "constant", steps: int = 1, warmup: int = 0, final: float = 0.01
) -> Callable[[], tf.Tensor]:
    """Return a function that reads ``step``, counted from 0, and gives the learning rate there.

    The rate grows linearly to ``rate`` over the first ``warmup`` steps (Goyal et al. 2017). Over the remaining
    ``steps`` the schedule lowers it to ``final * rate``, where it stays. Raises ``ValueError`` if ``warmup`` is not
    smaller than ``steps``.
    """
    if warmup and warmup >= steps:
        raise ValueError(f"warmup_steps must be fewer than the run's {steps} steps, got {warmup}")
    decayed = SCHEDULES[schedule](rate, steps - warmup, final)

    def now() -> tf.Tensor:
        at = tf.cast(step, tf.float32)
        return tf.minimum((at + 1.0) / max(warmup, 1), 1.0) * decayed(
            tf.clip_by_value(at - warmup, 0.0, steps - warmup)
        )

    return now
