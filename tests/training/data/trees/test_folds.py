import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError
from ranker.tasks import TASK_KINDS
from tests.training.conftest import QUICK
from tests.training.stored import file_of
from training.config.experiment import checked
from training.data.experiment_log import open_log
from training.data.trees.boost import Targets
from training.data.trees.folds import tree_folds
from training.data.trees.scores import first_fold, require_labels

LOG = pd.DataFrame(
    {
        "date": np.repeat([f"2026-01-{day:02}" for day in (1, 2, 3, 4)], 100),
        "user_id": np.tile(np.arange(20), 20),
        "user_age": 1.0,
        "item_id": 1,
        "click": 1,
        "like": 0,
        "watch_time": 0.0,
    }
)
BY_TIME = {"split": {"by": "time", "column": "date", "last": 1}}


def found(folds=4, data=BY_TIME, **schema):
    experiment = checked(QUICK | {"data": data, "schema": QUICK["schema"] | schema})
    return tree_folds(experiment, open_log(experiment, [file_of(LOG)]), folds)


def test_random_folds_are_about_equal_and_the_same_each_time():
    folds = found()
    assert len(folds) == 300
    assert (np.bincount(folds, minlength=4) > 50).all()
    np.testing.assert_array_equal(folds, found())


def test_rows_of_one_value_of_fold_by_share_a_fold():
    folds = found(label_statistics={"of": ["user_id"], "fold_by": "date"})
    assert [set(folds[i : i + 100].tolist()) for i in (0, 100, 200)] == [{2}, {3}, {0}]


def test_groups_of_a_split_by_group_share_a_fold():
    folds = found(data={"split": {"by": "group", "column": "user_id", "fraction": 0.3}})
    assert 0 < len(folds) < 400
    assert len(folds) % 20 == 0
    per_user = folds.reshape(20, -1)  # each user has a row in every block of twenty
    assert (per_user == per_user[0]).all()
    assert len(set(per_user[0].tolist())) > 1


def test_rows_of_one_fold_are_refused():
    data = {"split": {"by": "time", "column": "date", "last": 3}}
    with pytest.raises(DataError, match="100 training rows have one value of 'date', so that no fold"):
        found(data=data, label_statistics={"of": ["user_id"], "fold_by": "date"})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 0, 0, 0, 0, 0], "'like' that count lie in 1 of the folds"),
        ([0, 1, 0, 0, 0, 0], "without one of the folds, no label is 1 among the rows of 'like'"),
        ([1, 1, 1, 0, 1, 1], "without one of the folds, every known label is 1 among"),
    ],
)
def test_labels_that_leave_a_fold_nothing_to_be_scored_by_are_refused(labels, message):
    task = TASK_KINDS["binary"](kind="binary")
    numbers = np.array(labels, dtype=np.float64)
    folds, alone = np.array([0, 0, 1, 1, 2, 2], dtype=np.int8), "lie in" in message
    weights = np.where(folds == 0, 1.0, 0.0) if alone else np.ones(6)
    with pytest.raises(DataError, match=message):
        first_fold("like", task, Targets(task.tree_target(numbers), weights), folds)
    both = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    assert first_fold("like", task, Targets(task.tree_target(both), np.array([0.0, 0, 1, 1, 1, 1])), folds) == 1


def test_without_folds_labels_of_one_value_among_the_rows_that_count_are_refused():
    task = TASK_KINDS["binary"](kind="binary")
    target, counted = task.tree_target(np.array([0.0, 0.0, 1.0])), np.array([1.0, 1.0, 0.0])
    require_labels({"like": task}, {"like": Targets(target, np.ones(3))}, ["like"])
    with pytest.raises(DataError, match=r"trees\.of: no label is 1 among the rows of 'like'; list the other tasks"):
        require_labels({"like": task}, {"like": Targets(target, counted)}, ["like"])


def test_without_folds_a_task_no_label_of_which_counts_is_refused():
    task = TASK_KINDS["regression"](kind="regression")
    targets = Targets(task.tree_target(np.array([0.0, 1.0, 2.0])), np.zeros(3))
    with pytest.raises(
        DataError, match=r"trees\.of: no label counts among the rows of 'watched'; list the other tasks"
    ):
        require_labels({"watched": task}, {"watched": targets}, ["watched"])
