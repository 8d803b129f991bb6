"""What a caller may choose of a fusion, and how a fusion is described."""

import pytest

from ranker.fusion import FusionError, FusionOptions, build_plan
from ranker.inference.fusion_choice import facts, parts

TASKS = {"click": "binary", "like": "binary"}


def test_a_choice_is_nothing_a_name_or_an_object():
    assert parts(None) == (None, None, None, None)
    assert parts("bold") == ("bold", None, None, None)
    assert parts({"explore": False, "rerank": {"a": False}}) == (None, None, {"a": False}, False)
    with pytest.raises(FusionError, match="fusion: unknown key 'explor'; did you mean 'explore'"):
        parts({"explor": False})
    with pytest.raises(FusionError, match="must be a name or a dict of name, parameters, rerank, explore, got 3"):
        parts(3)


def test_facts_have_the_steps_that_a_fusion_has():
    plain = build_plan(FusionOptions(), TASKS)
    assert facts("default", plain) == {"name": "default", "formula": "additive", "parameters": plain.fusion.values}
    drawn = build_plan(FusionOptions.model_validate({"explore": {"kind": "swap"}}), TASKS)
    explore = {"kind": "swap", "first": 10, "max_move": 1, "relevance": "score", "probability": 0.1}
    assert facts("default", drawn) == {**facts("default", plain), "explore": explore}
