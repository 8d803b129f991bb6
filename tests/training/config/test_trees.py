from copy import deepcopy

import pytest

from tests.training.conftest import QUICK
from training.config.experiment import ConfigError, checked
from training.config.student import StudentOptions
from training.config.trees import TreeOptions


def config(**changes):
    return checked(deepcopy(QUICK) | changes)


def test_no_trees_by_default_and_those_of_the_tasks_named():
    assert config().tree_options is None
    options = config(trees={"of": ["watch_time", "click"], "rounds": 7}).tree_options
    assert options.tasks(["click", "like", "watch_time"]) == ("click", "watch_time")
    assert (options.rounds, options.leaves) == (7, 31)
    assert TreeOptions().tasks(["click", "like"]) == ("click", "like")


@pytest.mark.parametrize(
    ("trees", "told"),
    [
        ({"of": ["clik"]}, "trees.of.*'clik'.*did you mean 'click'"),
        ({"of": ["click", "click"]}, "'click' is listed twice"),
        ({"of": []}, "lists no task"),
        ({"leaves": 65}, "leaves.*64"),
        ({"rounds": 0}, "rounds"),
        ({"blend": 1.0}, "trees.blend.*less than 1"),
    ],
)
def test_wrong_options_are_named(trees, told):
    with pytest.raises(ConfigError, match=told):
        config(trees=trees)


def test_boosted_trees_implies_trees_of_all_tasks_and_one_epoch():
    experiment = config(architecture="boosted_trees")
    assert experiment.tree_options == TreeOptions(rounds="auto")
    assert experiment.epochs == 1
    assert config().epochs == QUICK["training"]["epochs"]
    assert config(architecture="boosted_trees", trees={"rounds": 5}).tree_options.rounds == 5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trees": {"of": ["click"]}}, "trees.of: boosted_trees needs trees of all tasks, and 'like' is not listed"),
        ({"trees": {"blend": 0.5}}, "trees.blend: boosted_trees has no network to blend trees with"),
        ({"funnel": "escm2_dr"}, "funnel.*boosted_trees has no trees for; use funnel: esmm"),
        ({"architecture": {"name": "boosted_trees", "towers": [8]}}, "towers: boosted_trees has no layers"),
    ],
)
def test_what_boosted_trees_cannot_do_is_refused(changes, told):
    with pytest.raises(ConfigError, match=told):
        config(**{"architecture": "boosted_trees"} | changes)


def test_a_student_needs_weights():
    with pytest.raises(ValueError, match="boosted_trees has no weights to learn"):
        StudentOptions.model_validate({"architecture": "boosted_trees"})
