import numpy as np
import pytest

from ranker.tasks import TASK_KINDS
from ranker.tasks.one_of import OneOf

TASKS = [
    TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": [0.1, 2, 5]}),
    TASK_KINDS["multiclass"].model_validate({"kind": "multiclass", "classes": [0.1, 2, 5], "positive": [5]}),
]
each = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)


@each
def test_a_label_is_one_of_the_numbers_as_single_precision_holds_them(task):
    assert isinstance(task, OneOf)
    labels = np.array([0.1, np.float32(0.1), 2, 5, 1, 5.0001, 1e300])
    assert task.allowed(labels).tolist() == [True, True, True, True, False, False, False]
    assert task.expects.endswith(" 0.1, 2, 5")


@each
def test_the_prior_loss_is_the_entropy_and_the_untrained_one_log_k(task):
    assert task.logits == 2
    assert task.constant_loss([0.5, 0.5, 0.0]) == pytest.approx(np.log(2))
    assert task.untrained_loss([0.5, 0.25, 0.25], 0.5) == pytest.approx(np.log(3))
