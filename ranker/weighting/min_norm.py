"""The minimum-norm point in the convex hull of T gradients, computed from their Gramian.

The quadratic programme of MGDA and PE-LTR: minimise ``w' G w`` subject to ``sum w = 1`` and ``w >= lower``.
All functions run in graphs, in double precision, for any number of tasks.
"""

from __future__ import annotations

from ranker.lazy_tensorflow import tf
from ranker.weighting.quadratic_programs import scaled


def min_norm(gramian: tf.Tensor, lower: tf.Tensor | None = None, present: tf.Tensor | None = None) -> tf.Tensor:
    """Minimise ``w' G w`` over ``sum w = 1``, ``w >= lower`` exactly: Gramian [T, T] to weights [T].

    ``lower`` [T] must be nonnegative and sum to at most 1; the default 0 gives MGDA's problem (Désidéri 2012). With
    bounds (Lin et al., RecSys 2019) w is ``lower + r u``, where r is ``1 - sum lower`` and u a point of the simplex;
    this shifts every gradient but keeps the problem's form. Tasks that are not ``present`` [T] get weight 0; if none
    is present, all weights are 0.
    """
    gramian = scaled(gramian)
    if present is None:
        present = tf.ones([gramian.shape[0]], tf.bool)
    if lower is None:
        return _simplex_min_norm(gramian, present)
    lower = tf.where(present, tf.cast(lower, tf.float64), 0.0)
    rest = 1.0 - tf.reduce_sum(lower)
    pull = tf.linalg.matvec(gramian, lower)
    moved = rest**2 * gramian + rest * (pull[:, None] + pull[None, :]) + tf.tensordot(lower, pull, 1)
    return lower + rest * _simplex_min_norm(moved, present)


def relaxed_min_norm(gramian: tf.Tensor, lower: tf.Tensor | None = None, present: tf.Tensor | None = None) -> tf.Tensor:
    """PE-LTR's relaxation: drop ``w >= lower``, solve the KKT system, then project. Lin et al., RecSys 2019.

    Not optimal if a bound is active; included to reproduce the paper. Arguments as for :func:`min_norm`.
    """
    gramian = scaled(gramian)
    tasks = gramian.shape[0]
    if present is None:
        present = tf.ones([tasks], tf.bool)
    lower = tf.zeros([tasks], tf.float64) if lower is None else tf.where(present, tf.cast(lower, tf.float64), 0.0)
    ones = tf.cast(present, tf.float64)[:, None]
    # Stationarity and the sum constraint: [G 1; 1' 0] [w; mu] = [0; 1]. A least-squares solution exists for any G.
    system = tf.concat([tf.concat([gramian, ones], 1), tf.concat([tf.transpose(ones), [[0.0]]], 1)], 0)
    right = tf.concat([tf.zeros([tasks, 1], tf.float64), [[1.0]]], 0)
    solution = tf.linalg.matmul(tf.linalg.pinv(system), right)[:tasks, 0]
    far = tf.where(present, solution - lower, -1e6)  # so that the projection leaves absent tasks at 0
    weights = lower + project_to_simplex(far, 1.0 - tf.reduce_sum(lower))
    return tf.where(present, weights, 0.0)


def project_to_simplex(point: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
    """Nearest point to ``point`` [T] with nonnegative entries that sum to ``total``. Duchi et al., ICML 2008."""
    ordered = tf.sort(point, direction="DESCENDING")
    count = tf.cast(tf.range(1, tf.size(point) + 1), point.dtype)
    threshold = (tf.cumsum(ordered) - total) / count
    active = tf.reduce_sum(tf.cast(ordered > threshold, tf.int32))
    return tf.nn.relu(point - threshold[tf.maximum(active, 1) - 1])


def _simplex_min_norm(gramian: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Solve for ``lower`` = 0 among present tasks by non-negative least squares. Lawson and Hanson 1974, chapter 23.

    Minimising ``w' G w + (1' w - 1)^2`` over ``w >= 0`` gives a multiple of the solution: along a ray the minimum is
    n / (1 + n), where n is the squared norm at sum 1, and this increases with n. It is a non-negative least-squares
    problem with Gramian ``G + 1 1'``, which an active-set method solves in finitely many steps.
    """
    tasks = gramian.shape[0]
    lifted = gramian + 1.0
    ones = tf.ones([tasks], tf.float64)
    tolerance = 1e-12

    def solve(passive: tf.Tensor) -> tf.Tensor:
        both = passive[:, None] & passive[None, :]
        # Rows outside the passive set become identity rows; the small ridge keeps parallel gradients solvable.
        system = tf.where(both, lifted, 0.0) + tf.linalg.diag(tf.where(passive, tolerance * ones, ones))
        return tf.linalg.solve(system, tf.where(passive, ones, 0.0)[:, None])[:, 0]

    def improve(step: tf.Tensor, weights: tf.Tensor, passive: tf.Tensor, adding: tf.Tensor) -> tuple[tf.Tensor, ...]:
        slope = tf.where(passive | ~present, -ones, ones - tf.linalg.matvec(lifted, weights))
        entering = tf.one_hot(tf.argmax(slope), tasks, on_value=True, off_value=False, dtype=tf.bool)
        passive = passive | (entering & adding)
        target = solve(passive)
        blocked = passive & (target <= 0.0)
        reach = tf.where(blocked, weights / tf.where(blocked, weights - target, ones), ones)
        weights = weights + tf.reduce_min(reach) * (target - weights)
        feasible = ~tf.reduce_any(blocked)
        # Move towards an infeasible target until the first weight is 0; that task then leaves the passive set.
        passive = passive & (feasible | (weights > tolerance))
        weights = tf.where(passive, weights, 0.0)
        return step + 1, weights, passive, feasible

    def going(step: tf.Tensor, weights: tf.Tensor, passive: tf.Tensor, adding: tf.Tensor) -> tf.Tensor:
        slope = tf.where(passive | ~present, -ones, ones - tf.linalg.matvec(lifted, weights))
        return (step < 8 * tasks) & (~adding | tf.reduce_any(slope > 1e-10))

    start = (tf.constant(0), tf.zeros([tasks], tf.float64), tf.zeros([tasks], tf.bool), tf.constant(True))
    weights = tf.while_loop(going, improve, start, parallel_iterations=1)[1]
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights))
