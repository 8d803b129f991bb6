"""Offline training: data, training, evaluation, export. Imports `ranker` first, which selects Keras 2.

``encode``, ``fit``, ``evaluate``, ``compare``, ``search``, ``join``, ``distill``, ``promote``, ``experiment``,
``online``, ``evaluate_policy``, ``publish`` and ``nightly`` are the commands of ``ranker-train`` as functions;
accessing one imports TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import ranker  # noqa: F401
from training.quiet_imports import quiet_imports

if TYPE_CHECKING:
    from training.commands.backtest import Backtest, backtest
    from training.commands.compare import Comparison, compare
    from training.commands.distill import Distillation, DistillOptions, distill
    from training.commands.encode import EncodedLog, encode
    from training.commands.evaluate import evaluate
    from training.commands.evaluate_policy import evaluate_policy
    from training.commands.experiment import ExperimentOptions, experiment
    from training.commands.fit import TrainingRun, fit
    from training.commands.join import join
    from training.commands.nightly import Nightly, nightly
    from training.commands.online import OnlineRun, online
    from training.commands.promote import Promotion, PromotionOptions, promote
    from training.commands.publish import publish
    from training.commands.search import SearchOptions, search
    from training.commands.search_policies import search_policies
    from training.experiments.judgement import Judgement
    from training.exposures.options import Joined
    from training.off_policy.evaluate import Evaluation
    from training.off_policy.options import EvaluationOptions

__all__ = [
    "Backtest",
    "Comparison",
    "DistillOptions",
    "Distillation",
    "EncodedLog",
    "Evaluation",
    "EvaluationOptions",
    "ExperimentOptions",
    "Joined",
    "Judgement",
    "Nightly",
    "OnlineRun",
    "Promotion",
    "PromotionOptions",
    "SearchOptions",
    "TrainingRun",
    "backtest",
    "compare",
    "distill",
    "encode",
    "evaluate",
    "evaluate_policy",
    "experiment",
    "fit",
    "join",
    "nightly",
    "online",
    "promote",
    "publish",
    "search",
    "search_policies",
]

_MODULES = {
    "Backtest": "training.commands.backtest",
    "backtest": "training.commands.backtest",
    "Comparison": "training.commands.compare",
    "DistillOptions": "training.commands.distill",
    "Distillation": "training.commands.distill",
    "ExperimentOptions": "training.commands.experiment",
    "Judgement": "training.experiments.judgement",
    "Nightly": "training.commands.nightly",
    "nightly": "training.commands.nightly",
    "OnlineRun": "training.commands.online",
    "online": "training.commands.online",
    "Evaluation": "training.off_policy.evaluate",
    "EvaluationOptions": "training.off_policy.options",
    "Joined": "training.exposures.options",
    "join": "training.commands.join",
    "Promotion": "training.commands.promote",
    "PromotionOptions": "training.commands.promote",
    "SearchOptions": "training.commands.search",
    "TrainingRun": "training.commands.fit",
    "compare": "training.commands.compare",
    "distill": "training.commands.distill",
    "EncodedLog": "training.commands.encode",
    "encode": "training.commands.encode",
    "evaluate": "training.commands.evaluate",
    "experiment": "training.commands.experiment",
    "evaluate_policy": "training.commands.evaluate_policy",
    "fit": "training.commands.fit",
    "promote": "training.commands.promote",
    "publish": "training.commands.publish",
    "search": "training.commands.search",
    "search_policies": "training.commands.search_policies",
}


def __getattr__(name: str) -> Any:
    """Import a command on first access."""
    if name not in _MODULES:
        raise AttributeError(f"module 'training' has no attribute {name!r}")
    with quiet_imports():
        return getattr(import_module(_MODULES[name]), name)
