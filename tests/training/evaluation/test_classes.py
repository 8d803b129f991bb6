import numpy as np
import pytest

from ranker.tasks import TASK_KINDS
from training.evaluation.classes import class_report, confusion_table

TASK = TASK_KINDS["multiclass"].model_validate({"kind": "multiclass", "classes": [2, 5, 9], "positive": [5]})
LABELS = np.array([2.0, 2.0, 5.0, 5.0])
CHANCES = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])


def test_four_rows_by_hand():
    found = class_report(TASK, LABELS, CHANCES)
    assert found["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.4]).mean())
    assert found["confusion"] == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert found["auc"] == [pytest.approx(3 / 4), pytest.approx(3 / 4), None]
    assert found["macro_auc"] == pytest.approx(3 / 4)
    headers, lines = confusion_table(found)
    assert headers == ["class", "as 2", "as 5", "as 9", "AUC"]
    assert lines[2] == ["9", "0", "0", "0", "-"]


def test_without_rows_it_is_undefined():
    found = class_report(TASK, np.empty(0), np.empty((0, 3)))
    assert (found["rows"], found["log_loss"], found["macro_auc"]) == (0, None, None)
