import math

import pytest

from tests.training.conftest import QUICK
from training.config.experiment import ConfigError, Experiment
from training.config.training import Evaluation
from training.sweeps import Trial, TrialResult
from training.sweeps.compare.best import Best
from training.sweeps.run_trial import has_weights


@pytest.fixture
def base():
    return Experiment.model_validate(QUICK)


def trial(base, folder, name, **result):
    place = folder / name
    (place / "run" / "checkpoints").mkdir(parents=True)
    return TrialResult(Trial({"name": name}, 0, base), place, folder / "rows", result)


def measured(auc, loss=1.0):
    return {"validation": {"tasks": {"click": {"auc": auc}}, "mean_auc": auc, "mean_loss": loss}}


def test_only_the_best_cell_keeps_its_weights(base, tmp_path):
    best = Best(base)
    assert best.metric == "mean_auc"
    trials = [trial(base, tmp_path, str(i), **measured(auc)) for i, auc in enumerate([0.6, 0.7, None, 0.65])]
    for trained in trials:
        best.offer(trained)
    assert best.result is trials[1]
    assert [has_weights(trained.folder) for trained in trials] == [False, True, False, False]


def test_a_loss_is_better_where_it_is_less(base, tmp_path):
    best = Best(base, "mean_loss")
    for name, loss in (("a", 0.4), ("b", 0.3), ("c", 0.5)):
        best.offer(trial(base, tmp_path, name, **measured(0.5, loss)))
    assert best.result.trial.values["name"] == "b"


def test_a_metric_within_lists(base, tmp_path):
    with pytest.raises(ConfigError, match=r"--best-by: click.ndcg@5 needs evaluation.group_by"):
        Best(base, "click.ndcg@5")
    best = Best(base.model_copy(update={"evaluation": Evaluation(group_by="request_id")}), "click.ndcg@5")
    for name, value in (("a", 0.4), ("b", 0.6), ("c", None)):
        found = {"tasks": {"click": {"ndcg@5": value}}, "mean_auc": 0.5}
        best.offer(trial(base, tmp_path, name, validation=found))
    assert best.result.trial.values["name"] == "b"


def test_a_failed_cell_keeps_what_it_has_finished(base, tmp_path):
    best, failed = Best(base), trial(base, tmp_path, "failed", error="killed")
    best.offer(failed)
    best.offer(trial(base, tmp_path, "old", validation={"tasks": {}, "mean_auc": math.nan}))
    assert has_weights(failed.folder)
    assert not best
    with pytest.raises(RuntimeError, match="no trained trial has mean_auc"):
        assert best.result


def test_an_unknown_metric_is_named_with_its_option(base):
    with pytest.raises(ConfigError, match=r"--best-by: no metric .click\.acu. \(valid: mean_loss, mean_auc"):
        Best(base, "click.acu")
