"""JRC: order within a list and calibration, from one pair of logits."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, RankLoss, RankLossOptions, Rows


@RANK_LOSSES.register("jrc")
class Jrc(RankLoss):
    """Joint ranking and calibration: who of the list has this label, as the task's own loss asks which label a row has.

    Sheng et al., KDD 2023. They model a row by two logits, f_0 and f_1, of which f_1 - f_0 is the log odds. Here the
    log odds are the task's logit, and the mean of the two is a further head that is never served; the task's own
    cross-entropy is the other part of their loss. It is for labels of 0 and 1.
    """

    class Options(RankLossOptions):
        """No further options."""

        name: Literal["jrc"] = "jrc"

    binary = True
    extra_head = "mean_logit"

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean over a list's rows of ``log(sum_j exp(f_y(x_j))) - f_y(x_i)``, with the row's label y."""
        assert rows.extra is not None, "the mean logit has a head"
        lists = rows.lists
        f_1, f_0 = rows.extra + rows.logits / 2.0, rows.extra - rows.logits / 2.0
        of_1, of_0 = (lists.of(lists.log_sum_exp(f)) - f for f in (f_1, f_0))
        losses = rows.grades * of_1 + (1.0 - rows.grades) * of_0
        total = lists.sum(rows.weights)
        # A row alone in its list is surely the one with its label: its loss is 0, whatever the logits are.
        several = tf.cast(lists.sizes() > 1, total.dtype)
        return lists.sum(rows.weights * losses) / total, several * total
