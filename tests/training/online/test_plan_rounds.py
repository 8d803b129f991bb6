"""Rounds as experiments of the service."""

import numpy as np
import pytest

from ranker.fusion import FusionOptions, build_plan
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from tests.training.online.world import AROUND, PLAN, config_of
from training.fusion_search.space import space
from training.online.plan_rounds import confirmation, moved, planned, shares_of, values_at
from training.online.served import experiment, is_of
from training.online_methods import ONLINE_METHODS


def first(**values):
    config = config_of(**values)
    return config, planned(config, AROUND, ONLINE_METHODS[config.method.name](config.method, AROUND.start), [])


def test_a_round_is_an_experiment_that_the_service_takes() -> None:
    config, one = first(control=0.4, service={**config_of().service.model_dump(mode="json"), "coverage": 0.5})
    content = experiment(config, AROUND, one)
    served = Experiment.model_validate(content)
    assert (served.name, served.salt, served.coverage, served.unit) == ("tuning-g001", "tuning-g001-0", 0.5, "user")
    assert list(served.groups) == ["control", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert served.groups["control"].fusion is None
    assert [group.share for group in served.groups.values()] == pytest.approx([0.4, *[0.1] * 6])
    for one_set in one.sets:
        fusion = served.groups[one_set.name].fusion
        assert PLAN.replaced(fusion.parameters).fusion.values["share"] == {
            "click": one_set.values["share.click"],
            "like": one_set.values["share.like"],
        }


def test_groups_name_the_model_and_fusion_that_are_searched() -> None:
    config, one = first(fusion="bold", service={**config_of().service.model_dump(mode="json"), "model": "main"})
    groups = experiment(config, AROUND, one)["groups"]
    assert groups["control"] == {"share": pytest.approx(0.2, abs=1e-5), "model": "main", "fusion": {"name": "bold"}}
    assert groups["s1"]["fusion"]["name"] == "bold"
    assert groups["s1"]["model"] == "main"


def test_parameters_of_rerank_are_served_with_those_of_the_formula() -> None:
    options = {"name": "additive", "rerank": {"diverse": {"kind": "mmr", "of": "genre"}}}
    plan = build_plan(FusionOptions.model_validate(options), {"click": "binary"}, compared={"genre": "category"})
    around = space(plan, ["share", "rerank.diverse.lambda"], 0.5)
    point = np.array([0.25, 0.75])
    assert around.changes(point) == {
        "parameters": {"share": {"click": 0.75}},
        "rerank": {"diverse": {"lambda": values_at(around, point)["rerank.diverse.lambda"]}},
    }
    assert (
        around.at(point).stored()
        == plan.replaced({"share": {"click": 0.75}}).with_rerank(around.changes(point)["rerank"]).stored()
    )


def test_names_tell_rounds_and_searches_apart() -> None:
    config, one = first()
    last = confirmation(config, AROUND, [one, one], np.array([0.5, 0.5]), "enough")
    assert (one.experiment, last.experiment, last.number) == ("tuning-g001", "tuning-confirm", 3)
    assert shares_of(last) == {"control": 0.5, "winner": 0.5}
    assert is_of("tuning", "tuning-g012")
    assert is_of("tuning", "tuning-confirm")
    assert not any(is_of("tuning", name) for name in ("tuning", "tuning-2-g001", "tuning-g01", "xtuning-g001", "None"))


def test_the_fraction_that_changes_groups_is_that_of_the_service() -> None:
    old, new = [0.2, 0.4, 0.4], [0.2, 0.6, 0.2]
    assert moved(old, new) == pytest.approx(0.2)
    assert moved(old, old) == pytest.approx(0.0)
    assert moved([0.2, 0.1, 0.35, 0.35], [0.2, 0.4, 0.2, 0.2]) == pytest.approx(1 - (0.2 + 0.1 + 0.05 + 0.2))
    before, after = (
        Split(Experiment(name="a", unit="u", groups={f"g{i}": {"share": share} for i, share in enumerate(shares)}))
        for shares in (old, new)
    )
    changed = [before.group_of(str(unit)) != after.group_of(str(unit)) for unit in range(20_000)]
    assert np.mean(changed) == pytest.approx(moved(old, new), abs=0.01)
