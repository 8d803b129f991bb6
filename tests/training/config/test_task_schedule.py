from itertools import islice

import pytest
from pydantic import ValidationError

from ranker.step_plan import Turn
from training.config.task_schedule import Schedule

TASKS = ("click", "like", "buy")


def schedule(*phases):
    return Schedule.model_validate({"phases": list(phases)})


def kinds(plan, epoch, every=1, first=0, count=4):
    return list(islice(plan.turns(epoch, TASKS, every, first), count))


def test_by_default_all_tasks_take_part():
    assert kinds(Schedule(), 5) == [Turn()] * 4
    assert Schedule().final(0)


def test_phases_follow_one_another():
    plan = schedule({"tasks": ["click"], "epochs": 2}, {"tasks": ["click", "like"], "epochs": 1}, {})
    chosen = [kinds(plan, epoch, count=1)[0].tasks for epoch in range(5)]
    assert chosen == [{"click"}, {"click"}, {"click", "like"}, None, None]
    assert [plan.final(epoch) for epoch in range(5)] == [False, False, False, True, True]


def test_alternating_takes_tasks_in_turn():
    plan = schedule({"alternating": True, "freeze": ["embeddings"]})
    turns = kinds(plan, 0)
    assert [set(turn.tasks) for turn in turns] == [{"click"}, {"like"}, {"buy"}, {"click"}]
    assert all(turn.frozen == {"embeddings"} for turn in turns)
    assert set(kinds(plan, 0, first=2)[0].tasks) == {"buy"}


@pytest.mark.parametrize(
    ("phases", "text"),
    [
        ([{"tasks": ["clik"]}], "phases.0.tasks: 'clik' is not a task; did you mean 'click'"),
        (
            [{"freeze": ["embedings"]}],
            "phases.0.freeze: 'embedings' is not a part to freeze; did you mean 'embeddings'",
        ),
        ([{"epochs": 10}, {}], "the phases before the last take 10 epoch"),
        ([{"epochs": 2}, {"epochs": 3}], "end after 5 epoch"),
    ],
)
def test_mistakes_are_named(phases, text):
    with pytest.raises(ValueError, match=text):
        schedule(*phases).check(TASKS, 10, compares=False)


def test_turns_leave_no_gradients_to_compare():
    with pytest.raises(ValueError, match="tasks cannot be compared"):
        schedule({"alternating": True}).check(TASKS, 10, compares=True)


def test_only_the_last_phase_is_open():
    with pytest.raises(ValidationError, match=r"phases\.0\.epochs: is required"):
        schedule({}, {"epochs": 1})
