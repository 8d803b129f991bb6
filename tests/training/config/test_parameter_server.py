import pytest

from ranker.weighting import WEIGHTINGS
from tests.training.conftest import QUICK
from training.config.distribute import ParameterServer
from training.config.experiment import ConfigError, checked
from training.config.parameter_server import check_parameter_server

SERVERS = {**QUICK, "training": {**QUICK["training"], "distribute": "parameter_server"}}
ADAM = {"embeddings": {"name": "adam"}}


def with_staleness(staleness):
    distribute = {"name": "parameter_server", "staleness": staleness}
    return {**SERVERS, "training": {**SERVERS["training"], "distribute": distribute}}


def test_tables_on_servers_are_trained_by_the_default_optimisers_without_waiting():
    assert checked(SERVERS).training.distribute == ParameterServer(shard_bytes=64 << 20, staleness=None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"optimizer": ADAM}, r"optimizer\.embeddings\.name: adam moves the moments of every row.*adagrad, sgd, ftrl"),
        ({"optimizer": {"embeddings": {"name": "rmsprop"}}}, r"optimizer\.embeddings\.name: rmsprop moves"),
        ({"optimizer": {"embeddings": {"clip_norm": 1.0}}}, r"optimizer\.embeddings\.clip_norm: the norm would be"),
        ({"optimizer": {"embeddings": {"weight_decay": 0.1}}}, r"optimizer\.embeddings\.weight_decay"),
        ({"optimizer": {"average": 0.9}}, r"optimizer\.average: would move every row"),
        ({"optimizer": {"shared": {"per_task": True}}}, r"optimizer\.shared\.per_task: "),
        ({"ensemble": {"seeds": 2}}, r"ensemble: members are put side by side in one table"),
        ({"training": {**SERVERS["training"], "refit": True}}, r"training\.refit: would need a second model"),
        ({"architecture": "boosted_trees"}, r"architecture\.name: boosted_trees has no tables"),
    ],
)
def test_what_tables_on_servers_cannot_be_trained_with_is_refused_by_its_path(changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        checked({**SERVERS, **changes})


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_methods_that_need_exact_gradients_take_one_step_at_a_time(name):
    checked({**with_staleness(0), "weighting": name})
    for staleness in (None, 1):
        config = {**with_staleness(staleness), "weighting": name}
        if WEIGHTINGS[name].asynchronous:
            checked(config)
        else:
            with pytest.raises(ConfigError, match=rf"weighting\.name: {name} compares .*staleness to 0.*uncertainty"):
                checked(config)


def test_other_ways_of_training_are_left_alone():
    check_parameter_server(checked({**QUICK, "optimizer": ADAM, "ensemble": {"seeds": 2}}))
