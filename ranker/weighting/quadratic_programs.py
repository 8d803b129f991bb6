"""Small convex problems over task weights, shared by several methods and solved in the graph in double precision.

With T tasks there are 2^T active sets; all are solved at once, which is exact and, for few tasks, cheaper than
iterating.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from ranker.lazy_tensorflow import as_graph, tf

MOST_TASKS = 12
_SPECK = 1e-12
_HALVINGS = 20


def scaled(gramian: tf.Tensor) -> tf.Tensor:
    """Cast to double precision and scale the largest entry to 1, so that tolerances are relative."""
    gramian = tf.cast(gramian, tf.float64)
    return tf.math.divide_no_nan(gramian, tf.reduce_max(tf.abs(gramian)))


def bounded_least_norm(gramian: tf.Tensor, lower: tf.Tensor) -> tf.Tensor:
    """``argmin v' G v`` subject to ``v >= lower``: Gramian [T, T] and bounds [..., T] to v [..., T].

    The dual of projecting a gradient onto the cone of directions that conflict with no task.
    """
    tasks = _tasks(gramian)
    free = _subsets(tasks)  # [S, T]
    bound = lower[..., None, :] * (1.0 - free)  # [..., S, T]
    pull = tf.linalg.matvec(gramian, bound) * free
    solved = -tf.linalg.matvec(tf.linalg.inv(_restricted(gramian, free)), pull)
    candidates = bound + solved * free
    feasible = tf.reduce_all(candidates >= lower[..., None, :] - 1e-9, axis=-1)
    norms = tf.reduce_sum(candidates * tf.linalg.matvec(gramian, candidates), axis=-1)
    return _best(candidates, tf.where(feasible, norms, np.inf))


def simplex_quadratic(gramian: tf.Tensor, linear: tf.Tensor, curvature: tf.Tensor) -> tf.Tensor:
    """``argmin linear' w + curvature / 2 w' G w`` over ``sum w = 1, w >= 0``: G [T, T] and linear [T] to w [T]."""
    tasks = _tasks(gramian)
    free = _subsets(tasks)[1:]  # at least one weight must be free to sum to 1
    system = _restricted(curvature * gramian, free)
    right = tf.stack([free, -linear * free], axis=-1)  # H a = 1 and H b = -linear, w = mu a + b
    a, b = tf.unstack(tf.linalg.solve(system, right) * free[..., None], axis=-1)
    multiplier = (1.0 - tf.reduce_sum(b, axis=-1)) / tf.reduce_sum(a, axis=-1)
    candidates = multiplier[:, None] * a + b
    feasible = tf.reduce_all(candidates >= -1e-9, axis=-1)
    norms = tf.reduce_sum(candidates * tf.linalg.matvec(gramian, candidates), axis=-1)
    values = tf.linalg.matvec(candidates, linear) + 0.5 * curvature * norms
    weights = tf.nn.relu(_best(candidates, tf.where(feasible, values, np.inf)))
    return weights / tf.reduce_sum(weights)


@as_graph
def power_equilibrium(gramian: tf.Tensor, power: float, loads: tf.Tensor, steps: int = 60) -> tf.Tensor:
    """The w > 0 with ``G w = c w ** -power``: Gramian [T, T] and loads c [T] > 0 to w [T].

    It minimises the strictly convex ``w' G w / 2 - sum c phi(w)``, phi' = w ** -power, by Newton's method. Each
    iteration tries repeatedly halved steps, at most nine tenths of the way to a bound, and takes the best.
    """
    gramian = gramian + _SPECK * tf.eye(_tasks(gramian), dtype=tf.float64)
    lengths = tf.constant([0.0, *(0.5**halved for halved in range(_HALVINGS))], tf.float64)

    def value(w: tf.Tensor) -> tf.Tensor:
        phi = tf.math.log(w) if power == 1.0 else w ** (1.0 - power) / (1.0 - power)
        return 0.5 * tf.einsum("ki,ij,kj->k", w, gramian, w) - tf.linalg.matvec(phi, loads)

    def improved(weights: tf.Tensor) -> tf.Tensor:
        slope = tf.linalg.matvec(gramian, weights) - loads * weights**-power
        hessian = gramian + tf.linalg.diag(power * loads * weights ** (-power - 1.0))
        step = -tf.linalg.solve(hessian, slope[:, None])[:, 0]
        room = tf.reduce_min(tf.where(step < 0, -0.9 * weights / tf.where(step < 0, step, -1.0), np.inf))
        tried = weights + lengths[:, None] * tf.minimum(room, 1.0) * step
        # Near the minimum all values are equal up to rounding, and the full step is best.
        worth = value(tried)
        close = tf.abs(worth[1] - worth[0]) <= 1e-12 * tf.abs(worth[0])
        return tf.where(close, tried[1], tried[tf.argmin(worth)])

    start = (loads / tf.linalg.diag_part(gramian)) ** (1.0 / (1.0 + power))
    found: tf.Tensor = tf.while_loop(lambda _: True, lambda w: [improved(w)], [start], maximum_iterations=steps)[0]
    return found


def _tasks(gramian: tf.Tensor) -> int:
    tasks = int(gramian.shape[0])
    if tasks > MOST_TASKS:
        raise ValueError(f"this method supports at most {MOST_TASKS} tasks, got {tasks}")
    return tasks


def _subsets(tasks: int) -> tf.Tensor:
    return tf.constant(list(product((0.0, 1.0), repeat=tasks)), tf.float64)


def _restricted(matrix: tf.Tensor, free: tf.Tensor) -> tf.Tensor:
    """Restrict the matrix to each subset [S, T], identity elsewhere; a ridge keeps parallel gradients solvable."""
    inside = free[:, :, None] * free[:, None, :]
    return inside * matrix + tf.linalg.diag(_SPECK * free + (1.0 - free))


def _best(candidates: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.gather(candidates, tf.argmin(values, axis=-1), axis=-2, batch_dims=len(values.shape) - 1)
