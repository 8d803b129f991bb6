import numpy as np
import pytest

from ranker.log_files.log_reader import DataError
from training.config.experiment import Experiment
from training.data.batches import EncodedWriter
from training.data.grouping import NO_GROUP
from training.trainer.early_stopping import stopping_metric

BINARY, REGRESSION = {"kind": "binary"}, {"kind": "regression"}
BOTH = {"click": BINARY, "like": BINARY}


def experiment(tasks=BOTH, metric=None, group_by=None, **changes):
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.2}},
            "schema": {"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks},
            "architecture": "shared_bottom",
            "early_stopping": {"metric": metric},
            "evaluation": {"group_by": group_by},
            **changes,
        }
    )


def rows(folder, labels, known=None, groups=None):
    labels = np.array(labels, dtype=np.float32)
    arrays = {
        "candidate_ids": np.zeros((len(labels), 1), dtype=np.int32),
        "labels": labels,
        "known": np.ones_like(labels) if known is None else np.array(known, dtype=np.float32),
    }
    if groups is not None:
        arrays["group"] = np.array(groups, dtype=np.int64)
    writer = EncodedWriter(folder)
    writer.write(arrays)
    return writer.close()


def test_labels_of_both_classes_need_no_caution(tmp_path):
    assert stopping_metric(experiment(), rows(tmp_path, [[1, 0], [0, 1]])) == ("mean_auc", [])


def test_a_mean_says_which_tasks_it_lacks(tmp_path):
    metric, cautions = stopping_metric(experiment(), rows(tmp_path, [[1, 0], [0, 0]]))
    assert metric == "mean_auc"
    assert cautions == [
        "validation: like: every label in these rows is 0, so its AUC is undefined",
        "early stopping: mean_auc is over the other tasks, without like",
    ]


def test_a_default_that_cannot_be_had_gives_way_with_a_caution(tmp_path):
    metric, cautions = stopping_metric(experiment(), rows(tmp_path, [[1, 0], [1, 0]]))
    assert metric == "mean_loss"
    assert cautions[-1] == "validation: no task has an AUC, so early stopping uses mean_loss"


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("mean_auc", "no binary task has labels of both 0 and 1 in the validation rows"),
        ("click.auc", "every validation label of click is 1"),
        ("like.auc", "every validation label of like is 0"),
        ("like.gauc", "every validation label of like is 0"),
    ],
)
def test_a_metric_that_the_config_names_is_refused_before_training(tmp_path, metric, why):
    encoded = rows(tmp_path, [[1, 0], [1, 0]], groups=[1, 1])
    with pytest.raises(DataError, match=rf"early_stopping\.metric: {metric} is undefined: {why}"):
        stopping_metric(experiment(metric=metric, group_by="user"), encoded)


def test_groups_of_one_class_each_define_no_gauc(tmp_path):
    encoded = rows(tmp_path, [[1, 0], [0, 1], [1, 1]], groups=[1, 2, 1])
    with pytest.raises(DataError, match=r"click\.gauc is undefined: no group of evaluation\.group_by"):
        stopping_metric(experiment(metric="click.gauc", group_by="user"), encoded)


def test_a_metric_within_lists_needs_a_positive_in_one(tmp_path):
    lists = {"metric": "like.ndcg@10", "group_by": "user"}
    encoded = rows(tmp_path, [[1, 0], [0, 1]], groups=[1, 2])
    assert stopping_metric(experiment(**lists), encoded) == ("like.ndcg@10", [])
    encoded = rows(tmp_path, [[1, 0], [0, 1]], groups=[1, NO_GROUP])
    with pytest.raises(
        DataError, match=r"like\.ndcg@10 is undefined: no list of evaluation\.group_by has a validation"
    ):
        stopping_metric(experiment(**lists), encoded)


def test_no_known_label_is_no_validation(tmp_path):
    encoded = rows(tmp_path, [[0, 0]], known=[[0, 0]])
    with pytest.raises(DataError, match="no task has a known label in the held-out rows"):
        stopping_metric(experiment(early_stopping=None), encoded)
    encoded = rows(tmp_path, [[0, 0]], known=[[0, 1]])
    with pytest.raises(DataError, match=r"click\.log_loss is undefined: no validation row has a known label of click"):
        stopping_metric(experiment(metric="click.log_loss"), encoded)


def test_without_early_stopping_there_is_no_metric(tmp_path):
    assert stopping_metric(experiment(early_stopping=None), rows(tmp_path, [[1, 0], [0, 1]])) == (None, [])


def test_only_regressions_stop_by_their_loss_unless_told_otherwise(tmp_path):
    tasks = {"watch": REGRESSION, "share": REGRESSION}
    assert experiment(tasks).default_metric == "mean_loss"
    assert stopping_metric(experiment(tasks), rows(tmp_path, [[1, 0], [2, 3]])) == ("mean_loss", [])
    with pytest.raises(ValueError, match=r"early_stopping\.metric: no metric 'mean_auc' \(valid: mean_loss"):
        experiment(tasks, metric="mean_auc")
