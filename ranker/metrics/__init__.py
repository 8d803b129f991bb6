"""Offline metrics of predictions, in NumPy, each with a bootstrap interval where that says something.

``binary_report`` and ``regression_report`` gather what there is to say about one objective. ``JointAuc``, ``BinnedAuc``
and ``Groups`` measure many rankings of the same rows against many labels, each from one ordering.
"""

from ranker.metrics.auc import auc
from ranker.metrics.binned_auc import BinnedAuc, BoundedAucs
from ranker.metrics.bootstrap import bootstrap_intervals
from ranker.metrics.calibration import calibration, calibration_error
from ranker.metrics.gauc import Gauc, gauc
from ranker.metrics.grouped import Groups, Ranking
from ranker.metrics.joint_auc import JointAuc
from ranker.metrics.log_loss import log_loss
from ranker.metrics.ndcg import Ndcg, ndcg
from ranker.metrics.regression import mae, rmse
from ranker.metrics.report import binary_report, regression_report
from ranker.metrics.stability import SHIFT, Spread, binned, spread, stability_index

__all__ = [
    "SHIFT",
    "BinnedAuc",
    "BoundedAucs",
    "Gauc",
    "Groups",
    "JointAuc",
    "Ndcg",
    "Ranking",
    "Spread",
    "auc",
    "binary_report",
    "binned",
    "bootstrap_intervals",
    "calibration",
    "calibration_error",
    "gauc",
    "log_loss",
    "mae",
    "ndcg",
    "regression_report",
    "rmse",
    "spread",
    "stability_index",
]
