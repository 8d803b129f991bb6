import pytest

from tests.training.conftest import CONFIG
from training.compare import expand, parse
from training.config import ConfigError, Experiment

BASE = Experiment.model_validate(CONFIG)


def test_values_are_yaml_and_brackets_keep_commas_together():
    assert parse("training.batch_size=16,64").values == (16, 64)
    assert parse("optimizer.dense.learning_rate=1e-3,0.01").values == (0.001, 0.01)
    assert parse("architecture={name: mmoe, experts: 2},ple").values == ({"name": "mmoe", "experts": 2}, "ple")
    assert parse("architecture.towers=[8, 4],[]").values == ([8, 4], [])


def test_all_stands_for_a_whole_registry():
    assert set(parse("interaction=all").values) == {"none", "cross", "dots", "fm"}


@pytest.mark.parametrize("text", ["architecture", "=mmoe", "architecture=", "architecture={", "a=1,1"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError, match="--vary"):
        parse(text)


def test_every_combination_under_every_seed():
    cells = expand(BASE, [parse("architecture=mmoe,ple"), parse("training.batch_size=8,16")], seeds=2)
    assert len(cells) == 8
    assert len({cell.folder for cell in cells}) == 8
    assert cells[0].name == "mmoe, batch_size=8"
    assert {cell.seed for cell in cells} == {BASE.training.seed, BASE.training.seed + 1}
    last = cells[-1].experiment
    assert (last.architecture.name, last.training.batch_size, last.training.seed) == (
        "ple",
        16,
        BASE.training.seed + 1,
    )


def test_a_new_choice_keeps_what_was_set_and_fits():
    base = Experiment.model_validate(
        {**CONFIG, "architecture": {"name": "ple", "levels": 3, "expert_units": [8], "dropout": 0.3}}
    )
    mmoe, ple = (cell.experiment.architecture for cell in expand(base, [parse("architecture=mmoe,ple")], 1))
    assert (mmoe.name, mmoe.expert_units, mmoe.dropout, mmoe.experts) == ("mmoe", (8,), 0.3, 4)
    assert ple == base.architecture


def test_deeper_keys_change_one_option():
    (cell,) = expand(BASE, [parse("architecture.activation=tanh")], 1)
    assert cell.experiment.architecture == BASE.architecture.model_copy(update={"activation": "tanh"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architecture=mmo", "architecture"),
        ("architecture.depth=3", "unknown key 'depth'"),
        ("trainin.epochs=3", "unknown key 'trainin'; did you mean 'training'"),
        ("training.epochs.more=3", "training.epochs has no keys"),
    ],
)
def test_mistakes_are_explained(text, message):
    with pytest.raises(ConfigError, match=message):
        expand(BASE, [parse(text)], 1)


def test_a_key_given_twice_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        expand(BASE, [parse("training.epochs=1"), parse("training.epochs=2")], 1)
