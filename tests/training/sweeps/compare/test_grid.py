import pytest

from tests.training.conftest import CONFIG
from training.config.experiment import CHOICES, ConfigError, Experiment, checked
from training.sweeps.compare import expand, parse

BASE = Experiment.model_validate(CONFIG)


def test_values_are_yaml_and_brackets_keep_commas_together():
    assert parse("training.batch_size=16,64").values == (16, 64)
    assert parse("optimizer.dense.learning_rate=1e-3,0.01").values == (0.001, 0.01)
    assert parse("architecture={name: mmoe, experts: 2},ple").values == ({"name": "mmoe", "experts": 2}, "ple")
    assert parse("architecture.towers=[8, 4],[]").values == ([8, 4], [])


@pytest.mark.parametrize("section", sorted(CHOICES))
def test_all_of_any_registry_that_the_config_can_have(section):
    names = [getattr(trial.experiment, section).name for trial in expand(BASE, [parse(f"{section}=all")], 1)]
    assert len(names) > 1
    assert set(names) <= set(CHOICES[section])


def test_all_stands_for_a_whole_registry():
    assert set(parse("interaction=all").values) == {"none", "cross", "dots", "fm"}


def test_of_a_whole_registry_what_does_not_fit_is_left_out():
    tasks = {"click": {"kind": "binary"}}
    schema = {**CONFIG["schema"], "tasks": tasks}
    plain = Experiment.model_validate({**CONFIG, "schema": schema, "fusion": {"name": "additive"}})
    names = [trial.experiment.architecture.name for trial in expand(plain, [parse("architecture=all")], 1)]
    assert "esmm" not in names
    assert "ple" in names
    assert "esmm" in [trial.experiment.architecture.name for trial in expand(BASE, [parse("architecture=all")], 1)]
    with pytest.raises(ConfigError, match=r"architecture=esmm: architecture\.name: esmm needs a task with `given`"):
        expand(plain, [parse("architecture=esmm")], 1)


def test_what_the_configs_architecture_sets_keeps_no_other_from_being_compared():
    options = {"name": "shared_bottom", "towers": [4], "activation": "gelu", "dropout": 0.1}
    plain, full = (
        {trial.experiment.architecture.name for trial in expand(checked(config), [parse("architecture=all")], 1)}
        for config in ({**CONFIG, "architecture": "shared_bottom"}, {**CONFIG, "architecture": options})
    )
    assert full == plain
    assert "boosted_trees" in plain


@pytest.mark.parametrize("text", ["architecture", "=mmoe", "architecture=", "architecture={", "a=1,1"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError, match="--vary"):
        parse(text)


def test_every_combination_under_every_seed():
    trials = expand(BASE, [parse("architecture=mmoe,ple"), parse("training.batch_size=8,16")], seeds=2)
    assert len(trials) == 8
    assert len({trial.folder for trial in trials}) == 8
    assert trials[0].name == "mmoe, batch_size=8"
    assert {trial.seed for trial in trials} == {BASE.training.seed, BASE.training.seed + 1}
    last = trials[-1].experiment
    assert (last.architecture.name, last.training.batch_size, last.training.seed) == (
        "ple",
        16,
        BASE.training.seed + 1,
    )


def test_a_new_choice_keeps_what_was_set_and_fits():
    base = Experiment.model_validate(
        {**CONFIG, "architecture": {"name": "ple", "levels": 3, "expert_units": [8], "dropout": 0.3}}
    )
    mmoe, ple = (trial.experiment.architecture for trial in expand(base, [parse("architecture=mmoe,ple")], 1))
    assert (mmoe.name, mmoe.expert_units, mmoe.dropout, mmoe.experts) == ("mmoe", (8,), 0.3, 4)
    assert ple == base.architecture


@pytest.mark.parametrize("ending", ["", ".name"])
def test_another_list_loss_keeps_group_and_weight(ending):
    listed = {"name": "lambdarank", "at": 5, "gain": "linear", "group": "request_id", "weight": 0.3}
    tasks = {**CONFIG["schema"]["tasks"], "click": {"kind": "binary", "rank_loss": listed}}
    base = Experiment.model_validate({**CONFIG, "schema": {**CONFIG["schema"], "tasks": tasks}})
    trials = expand(base, [parse(f"schema.tasks.click.rank_loss{ending}=lambdarank,softmax,bpr")], 1)
    same, softmax, bpr = (trial.experiment.log_schema.tasks["click"].rank_loss for trial in trials)
    assert same == base.log_schema.tasks["click"].rank_loss
    kept = {"group": "request_id", "weight": 0.3}
    assert softmax.model_dump() == {"name": "softmax", "gain": "linear", **kept}
    assert bpr.model_dump() == {"name": "bpr", **kept}


def test_a_key_of_the_same_name_and_another_meaning_is_not_kept():
    base = Experiment.model_validate({**CONFIG, "architecture": {"name": "cross_stitch", "layers": [12, 6]}})
    (sluice,) = expand(base, [parse("architecture=sluice")], 1)
    assert sluice.experiment.architecture.layers == 2


def test_choices_come_first_whatever_the_order():
    trials = expand(BASE, [parse("architecture.experts=2,8"), parse("architecture=mmoe")], 1)
    assert [trial.experiment.architecture.experts for trial in trials] == [2, 8]
    with pytest.raises(ConfigError, match="unknown key 'experts'"):
        expand(BASE, [parse("architecture.experts=2,8"), parse("architecture=mmoe,ple")], 1)


def test_folders_differ_where_names_are_cut_or_cleaned():
    folders = [expand(BASE, [parse(text)], 1)[0].folder for text in ("funnel=masked", "training.epochs=1")]
    values = "{name: mmoe, expert_units: [" + ", ".join(["8"] * 40) + "], towers: [%d]}"
    trials = expand(BASE, [parse(f"architecture={values % 4},{values % 5}")], 1)
    assert len({trial.folder for trial in trials}) == 2
    assert all(len(trial.folder) < 140 for trial in trials)
    assert folders == ["funnel=masked+seed=0", "training.epochs=1+seed=0"]


def test_deeper_keys_change_one_option():
    (trial,) = expand(BASE, [parse("architecture.activation=tanh")], 1)
    assert trial.experiment.architecture == BASE.architecture.model_copy(update={"activation": "tanh"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architecture=mmo", "architecture"),
        ("architecture.depth=3", "unknown key 'depth'"),
        ("label_statistics.smoothing=3", "did you mean 'schema.label_statistics.smoothing'"),
        ("trainin.epochs=3", "unknown key 'trainin'; did you mean 'training.epochs'"),
        ("training.epochs.more=3", "training.epochs has no keys"),
    ],
)
def test_mistakes_are_explained(text, message):
    with pytest.raises(ConfigError, match=message):
        expand(BASE, [parse(text)], 1)


def test_a_key_given_twice_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        expand(BASE, [parse("training.epochs=1"), parse("training.epochs=2")], 1)


def test_the_seed_is_not_varied_by_hand():
    with pytest.raises(ConfigError, match="--seeds 3"):
        expand(BASE, [parse("training.seed=1,2")], 2)
