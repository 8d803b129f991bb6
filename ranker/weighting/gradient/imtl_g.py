"""IMTL-G: impartial gradients."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.quadratic_programs import scaled


@WEIGHTINGS.register("imtl_g")
class IMTLG(GradientBalancer):
    """Weights summing to 1 whose step has equal projections on all unit gradients. Liu et al., ICLR 2021.

    ``(G w)_i / ||g_i||`` is the same for all i, so w is proportional to ``G^+ n``, where n are the norms. Weights may
    be negative, as in the paper. If no such weights exist, as for opposite gradients, all present tasks get equal
    weights.
    """

    class Options(GradientOptions):
        """No further options."""

        name: Literal["imtl_g"] = "imtl_g"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] summing to 1; 0 for a task without gradient."""
        gramian = scaled(gramian)
        norms = tf.sqrt(tf.linalg.diag_part(gramian))
        present = tf.cast(norms > 0, tf.float64)
        # Unit gradients make the zero tolerance independent of loss scales: C = D^-1 G D^-1, w = D^-1 C^+ 1.
        inverse = tf.math.divide_no_nan(present, norms)
        cosines = inverse[:, None] * gramian * inverse[None, :]
        raw = inverse * tf.linalg.matvec(tf.linalg.pinv(cosines, rcond=1e-10), present)
        total = tf.reduce_sum(raw)
        even = tf.math.divide_no_nan(present, tf.reduce_sum(present))
        usable = tf.abs(total) > 1e-9 * tf.reduce_sum(tf.abs(raw))
        return tf.where(usable, raw / tf.where(usable, total, 1.0), even)
