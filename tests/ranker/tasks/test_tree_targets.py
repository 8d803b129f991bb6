import lightgbm
import numpy as np
import pytest

from ranker.tasks import TASK_KINDS, Task, TreeTarget

LABELS = np.array([0.0, 0.0, 3.0, 9.0])


def target(**options) -> TreeTarget:
    return TASK_KINDS[options["kind"]].model_validate(options).tree_target(LABELS)


def test_targets_by_kind_and_loss():
    assert target(kind="binary").objective == "cross_entropy"
    np.testing.assert_allclose(target(kind="regression", transform="log1p").labels, np.log1p(LABELS))
    assert target(kind="regression", loss="huber", huber_delta=2.0).parameters == {"alpha": 2.0}
    weighted = target(kind="regression", loss="weighted_logistic")
    np.testing.assert_allclose(weighted.labels, LABELS / (LABELS + 1))
    np.testing.assert_allclose(weighted.weights, LABELS + 1)


def test_a_kind_need_not_have_a_target():
    assert Task.tree_target(TASK_KINDS["binary"].model_validate({"kind": "binary"}), LABELS) is None


@pytest.mark.parametrize("loss", ["mse", "weighted_logistic"])
def test_one_leaf_of_a_regression_scores_the_mean_label(loss):
    kind = TASK_KINDS["regression"].model_validate({"kind": "regression", "loss": loss})
    found = kind.tree_target(LABELS)
    data = lightgbm.Dataset(np.zeros((4, 1)), found.labels, weight=found.weights)
    booster = lightgbm.train({"objective": found.objective, "verbosity": -1, "num_threads": 1}, data, 1)
    raw = booster.predict(np.zeros((1, 1)), raw_score=True)
    assert np.asarray(kind.score(raw[:, None].astype(np.float32)))[0] == pytest.approx(LABELS.mean(), rel=1e-4)
