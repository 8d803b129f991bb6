"""Multiple-gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import as_graph, tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.min_norm import min_norm
from ranker.weighting.quadratic_programs import scaled


@WEIGHTINGS.register("mgda")
class MGDA(GradientBalancer):
    """The minimum-norm point in the gradients' convex hull. Desideri 2012; Sener & Koltun, NeurIPS 2018.

    To first order, a step along it increases no task's loss. ``exact`` solves the quadratic programme; the other
    solvers reproduce those of the sources: Frank-Wolfe with line search (Sener & Koltun), the averaging iteration
    ``w += (e_i - w) / (k + 2)`` towards the vertex of steepest descent, and gradient descent on softmax logits.
    """

    class Options(GradientOptions):
        """Solver, and the number of iterations of iterative solvers."""

        name: Literal["mgda"] = "mgda"
        solver: Literal["exact", "frank_wolfe", "averaging", "softmax"] = "exact"
        iterations: int = Field(50, ge=1, le=10_000, description="Iterations; ignored by exact.")

    options: Options

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] on the simplex; 0 for a task without gradient."""
        present = tf.linalg.diag_part(gramian) > 0
        if self.options.solver == "exact":
            return min_norm(gramian, present=present)
        return SOLVERS[self.options.solver](scaled(gramian), present, self.options.iterations)


@as_graph
def frank_wolfe(gramian: tf.Tensor, present: tf.Tensor, iterations: int) -> tf.Tensor:
    """Frank-Wolfe with exact line search, the closed form for two gradients."""

    def step(number: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        vertex = _steepest(gramian, weights, present)
        way = vertex - weights
        pull = tf.linalg.matvec(gramian, way)
        length = tf.math.divide_no_nan(-tf.reduce_sum(weights * pull), tf.reduce_sum(way * pull))
        return number + 1, weights + tf.clip_by_value(length, 0.0, 1.0) * way

    return _iterated(step, present, iterations)


@as_graph
def averaging(gramian: tf.Tensor, present: tf.Tensor, iterations: int) -> tf.Tensor:
    """Average of the steepest-descent vertices so far."""

    def step(number: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        share = 1.0 / (tf.cast(number, tf.float64) + 2.0)
        return number + 1, weights + share * (_steepest(gramian, weights, present) - weights)

    return _iterated(step, present, iterations)


@as_graph
def softmax_descent(gramian: tf.Tensor, present: tf.Tensor, iterations: int) -> tf.Tensor:
    """Gradient descent on z with w = softmax(z), from equal weights."""

    def step(number: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        weights = tf.nn.softmax(logits)
        slope = 2.0 * tf.linalg.matvec(gramian, weights)
        return number + 1, logits - weights * (slope - tf.reduce_sum(weights * slope))

    start = tf.where(present, tf.zeros(tf.shape(present), tf.float64), -1e9)
    end = tf.while_loop(lambda number, _: number < iterations, step, (tf.constant(0), start))[1]
    return tf.where(present, tf.nn.softmax(end), tf.zeros_like(end))


SOLVERS: dict[str, Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]] = {
    "frank_wolfe": frank_wolfe,
    "averaging": averaging,
    "softmax": softmax_descent,
}


def _steepest(gramian: tf.Tensor, weights: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    slope = tf.where(present, tf.linalg.matvec(gramian, weights), tf.fill(tf.shape(weights), tf.float64.max))
    return tf.one_hot(tf.argmin(slope), tf.size(weights), dtype=tf.float64) * tf.cast(present, tf.float64)


def _iterated(step: Callable[..., tuple[tf.Tensor, tf.Tensor]], present: tf.Tensor, iterations: int) -> tf.Tensor:
    there = tf.cast(present, tf.float64)
    even = tf.math.divide_no_nan(there, tf.reduce_sum(there))
    return tf.while_loop(lambda number, _: number < iterations, step, (tf.constant(0), even))[1]
