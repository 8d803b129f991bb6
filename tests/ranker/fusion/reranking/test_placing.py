"""What a search for a list relies on: every constraint takes back what it put, and never forbids what can be met."""

from itertools import permutations
from typing import get_args

import numpy as np
import pytest

from ranker.fusion.reranking import STEPS, Request, Step
from ranker.fusion.reranking.base import Constraint
from ranker.fusion.reranking.options import AnyStep
from ranker.fusion.reranking.placing import Placing, Work
from tests.ranker.fusion.reranking.requests import request, step

ASKED = request(range(5, 0, -1), author=["ann", "ann", "bob", None, "ann"], is_new=[0, 1, 0, 1, 0])
CONSTRAINTS = [
    step("spread", of="author", window=2),
    step("spread", of="author", at_most=2, window=4),
    step("quota", where="is_new == 1", at_least=2, of_first=3),
    step("quota", where="is_new == 1", at_most=0, of_first=2),
    step("fixed", where="is_new == 1", slots=[1, 4]),
]


def placed(one: Step, asked: Request) -> Placing:
    assert isinstance(one, Constraint)
    return one.placing(asked, np.arange(len(asked)))


def allows(placing: Placing, label: int, place: int) -> bool:
    if place >= placing.horizon:
        return True
    return bool(placing.fitting(place)[label]) and placing.completes(label, place, Work(0))


def test_a_config_takes_every_step() -> None:
    assert set(get_args(get_args(AnyStep)[0])) == set(STEPS.values())
    assert {one.kind for one in CONSTRAINTS} == {name for name in STEPS if issubclass(STEPS[name], Constraint)}


@pytest.mark.parametrize("one", CONSTRAINTS, ids=str)
def test_lists_that_meet_it_are_allowed_place_by_place_and_others_are_not(one: Step) -> None:
    placing = placed(one, ASKED)
    assert not placing.relaxed
    met = 0
    for listed in permutations(range(5)):
        labels = [placing.labels[i] for i in listed]
        placing.reset()
        allowed = True
        for place, label in enumerate(labels):
            allowed = allowed and allows(placing, label, place)
            placing.put(label, place)
        assert allowed == (placing.broken(labels) is None)
        met += allowed
    assert 0 < met < 120


@pytest.mark.parametrize("one", CONSTRAINTS, ids=str)
def test_taking_back_undoes_putting(one: Step) -> None:
    placing, fresh = placed(one, ASKED), placed(one, ASKED)
    for listed in permutations(range(5), 3):
        for place, i in enumerate(listed):
            placing.put(placing.labels[i], place)
        for place, i in reversed(list(enumerate(listed))):
            placing.take_back(placing.labels[i], place)
    for name, value in vars(fresh).items():
        np.testing.assert_array_equal(getattr(placing, name), value, err_msg=name)
