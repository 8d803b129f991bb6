"""Learning rates by step: Keras' schedules behind a linear warm-up."""

from __future__ import annotations

from collections.abc import Callable

from ranker.lazy_tensorflow import tf

SCHEDULES: dict[str, Callable[[float, int, float], Callable[[tf.Tensor], tf.Tensor]]] = {
    "constant": lambda rate, _steps, _final: lambda _step: tf.constant(rate),
    "cosine": lambda rate, steps, final: tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=final),
    "exponential": lambda rate, steps, final: tf.keras.optimizers.schedules.ExponentialDecay(rate, steps, final),
}
"""By the config's word: (rate, steps, share of the rate left after so many steps) to a function of the step."""


def learning_rate(
    step: tf.Variable, rate: float, schedule: str = "constant", steps: int = 1, warmup: int = 0, final: float = 0.01
) -> Callable[[], tf.Tensor]:
    """The rate at the step that ``step`` counts from 0, as a function that reads it.

    Over the first ``warmup`` steps the rate grows linearly to ``rate`` (Goyal et al. 2017); over the rest of ``steps``
    the schedule lowers it to ``final`` times that, where it stays. Raises ``ValueError`` where the warm-up leaves no
    step.
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
