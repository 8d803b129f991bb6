import pytest

from ranker.config.file import ConfigError
from tests.training.days import CONFIG
from training.config.distribute import check_alone
from training.config.experiment import Experiment, checked


def of(distribute: object) -> Experiment:
    optimizer = {"embeddings": {"name": "adagrad"}}  # Adam would move every row of a table
    return checked({**CONFIG, "optimizer": optimizer, "training": {"epochs": 1, "distribute": distribute}})


def test_a_run_depends_on_its_readers_and_not_on_who_reads():
    content = [of(each).training_content() for each in ("one", "mirrored", {"name": "mirrored", "devices": ["CPU:0"]})]
    assert content[0] == content[1] == content[2]
    assert "distribute" not in content[0]["training"]
    hosts = [of({"name": "multi_worker", "hosts": name, "readers": 4}).training_content() for name in ("a", "b")]
    assert hosts[0] == hosts[1] == of({"name": "one", "readers": 4}).training_content() != content[0]
    free, bound = (of({"name": "parameter_server", **more}).training_content() for more in ({}, {"staleness": 0}))
    assert free != bound != content[0]


@pytest.mark.parametrize("name", ["multi_worker", "parameter_server"])
def test_many_models_are_trained_in_one_process(name):
    check_alone(of("mirrored").training.distribute, "a comparison")
    with pytest.raises(
        ConfigError, match=f"{name} trains one model in several processes, and a comparison trains many"
    ):
        check_alone(of(name).training.distribute, "a comparison")
