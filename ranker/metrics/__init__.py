"""Offline metrics in NumPy, with bootstrap intervals where meaningful.

``METRICS`` is the table of metrics of one task's scores, and ``report`` computes all that apply. ``RANKING_METRICS`` is
the table of metrics of any ranking within lists. ``JointAuc``, ``BinnedAuc`` and ``Groups`` measure many rankings of
the same rows against many labels, with one ordering each.
"""

from ranker.metrics.agreement import RankingAgreement, ranking_agreement
from ranker.metrics.auc import auc
from ranker.metrics.base import Metric
from ranker.metrics.binned_auc import BinnedAuc, BoundedAucs
from ranker.metrics.bootstrap import bootstrap_intervals
from ranker.metrics.calibration import calibration, calibration_error
from ranker.metrics.gauc import Gauc, gauc
from ranker.metrics.gini import normalised_gini
from ranker.metrics.grouped import Groups, Ranking
from ranker.metrics.joint_auc import JointAuc
from ranker.metrics.lists import PreparedMetric, RankingMetric, Relevance
from ranker.metrics.log_loss import log_loss
from ranker.metrics.ndcg import Ndcg, ndcg
from ranker.metrics.regression import mae, rmse
from ranker.metrics.report import report
from ranker.metrics.stability import SHIFT, Spread, binned, spread, stability_index
from ranker.metrics.table import METRICS, RANKING_METRICS, choosable, headline, in_lists, metrics_of, sign_of, title_of
from ranker.metrics.xauc import xauc

__all__ = [
    "METRICS",
    "RANKING_METRICS",
    "SHIFT",
    "BinnedAuc",
    "BoundedAucs",
    "Gauc",
    "Groups",
    "JointAuc",
    "Metric",
    "Ndcg",
    "PreparedMetric",
    "Ranking",
    "RankingAgreement",
    "RankingMetric",
    "Relevance",
    "Spread",
    "auc",
    "binned",
    "bootstrap_intervals",
    "calibration",
    "calibration_error",
    "choosable",
    "gauc",
    "headline",
    "in_lists",
    "log_loss",
    "mae",
    "metrics_of",
    "ndcg",
    "normalised_gini",
    "ranking_agreement",
    "report",
    "rmse",
    "sign_of",
    "spread",
    "stability_index",
    "title_of",
    "xauc",
]
