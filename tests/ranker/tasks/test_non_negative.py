import numpy as np
import pytest

from ranker.tasks import TASK_KINDS
from ranker.tasks.non_negative import NonNegative

KINDS = [name for name, kind in TASK_KINDS.items() if issubclass(kind, NonNegative)]


@pytest.mark.parametrize("name", KINDS)
def test_labels_are_at_least_0_and_some_above(name):
    given = {"duration": "seconds"} if name == "quantile_of_duration" else {}
    task = TASK_KINDS[name].model_validate({"kind": name, **given})
    assert task.allowed(np.array([-0.5, 0.0, 3.0])).tolist() == [False, True, True]
    assert task.nothing_to_learn(known=9, nonzero=0) == "no label is above 0"
    assert task.nothing_to_learn(known=9, nonzero=1) is None


def test_amounts_of_spend_and_watch_time_are():
    assert {"ziln", "quantile_of_duration", "discretised"} <= set(KINDS)
