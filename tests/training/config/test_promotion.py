"""Bounds of a promotion: in a config, in a file of their own, and by default."""

import pytest
import yaml

from ranker.tasks import Binary, Regression
from tests.training.conftest import CONFIG, QUICK, written
from training.config.experiment import ConfigError, Experiment, checked, load
from training.config.promotion import bounds_of, default_bounds, load_bounds, require_bounds
from training.trainer.run_folder import key_of

TASKS = {"click": Binary(kind="binary"), "watch": Regression(kind="regression")}
BOUNDS = {"click.auc": {"least": -0.001}, "like.calibration": {"within": 0.1}, "latency_ms": {"most": 1.1}}


def test_a_config_may_have_bounds(tmp_path):
    bounds = load(written(tmp_path, promotion=BOUNDS)).promotion
    assert list(bounds["click.auc"].limits()) == [("least", -0.001)]
    assert list(bounds["like.calibration"].limits()) == [("within", 0.1)]
    assert list(bounds["latency_ms"].limits()) == [("most", 1.1)]
    assert checked(CONFIG).promotion == {}


def test_bounds_in_a_file_of_their_own_are_the_same(tmp_path):
    file = tmp_path / "bounds.yaml"
    file.write_text(yaml.safe_dump({"promotion": BOUNDS}))
    assert load_bounds(file) == bounds_of(BOUNDS) == load(written(tmp_path, promotion=BOUNDS)).promotion


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"click.auk": {"least": 0}}, r"promotion\.click\.auk: no such measure; did you mean 'click\.auc'"),
        ({"clik.auc": {"least": 0}}, r"did you mean 'click\.auc'"),
        ({"click.auc": {"most": 1.1}}, r"promotion\.click\.auc\.most: this measure takes least"),
        ({"click.auc": {"within": 0.1}}, r"promotion\.click\.auc\.within: this measure takes least"),
        ({"click.calibration": {"most": 1.1}}, r"takes least or within"),
        ({"click.log_loss": {"within": 0.1}}, r"takes least or most"),
        ({"latency_ms": {"least": 0}}, r"latency_ms\.least: this measure takes most"),
        ({"watch_time.auc": {"least": 0}}, r"no such measure"),
        ({"click.ndcg@10": {"least": 0}}, r"write fused\(default\)\.ndcg@10\(click\) for the default fusion's ranking"),
        ({"fused(other).ndcg@10(click)": {"least": 0}}, r"no fusion 'other'"),
        ({"fused(default).auc(click)": {"least": 0}}, r"not measured within lists; write gauc"),
        ({"fused(default).ndgc@10(click)": {"least": 0}}, r"no metric 'click\.ndgc'; did you mean 'ndcg'"),
        ({"fused(default).ndcg@10(clik)": {"least": 0}}, r"'clik' is no objective; did you mean 'click'"),
        ({"fused(default).ndcg@10( click )": {"least": 0}}, r"write fused\(default\)\.ndcg@10\(click\)"),
        ({"fused(default).ndcg@10(click)": {"most": 1}}, r"this measure takes least"),
        ({"fused(default.ndcg": {"least": 0}}, r"cannot be read; write names such as fused\(default\)\.ndcg@10"),
        ({"click.calibration_error": {"least": 0}}, r"no such measure"),  # has no interval
    ],
)
def test_unknown_measures_and_limits_are_named(tmp_path, bounds, expected):
    with pytest.raises(ConfigError, match=expected):
        load(written(tmp_path, promotion=bounds))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({}, r"set least, within or most"),
        ({"lest": 0}, r"unknown key 'lest'; did you mean 'least'"),
        ({"within": -0.1}, r"within"),
        ({"least": "much"}, r"'much'"),
        ({"least": True}, r"must be a number, got true"),
    ],
)
def test_wrong_values_are_named(bound, expected):
    with pytest.raises(ConfigError, match=expected):
        bounds_of({"click.auc": bound})


def test_bounds_need_objectives_of_both_versions():
    with pytest.raises(ConfigError, match=r"promotion\.like\.auc: no such measure.*only objectives of both versions"):
        require_bounds(bounds_of({"like.auc": {"least": 0}}), TASKS)


def test_default_bounds_are_valid_and_cover_every_objective():
    bounds = default_bounds(TASKS)
    require_bounds(bounds, TASKS)
    assert [*bounds] == [
        *("click.auc", "click.calibration", "fused(default).ndcg@10(click)"),
        *("watch.rmse", "watch.calibration", "fused(default).ndcg@10(watch)"),
        "latency_ms",
    ]
    assert list(bounds["watch.rmse"].limits()) == [("most", 1.01)]


class NoFiles:
    @staticmethod
    def fingerprint():
        return []


def test_a_run_stays_the_same_when_its_bounds_change():
    plain, bounded = (Experiment.model_validate({**QUICK, **more}) for more in ({}, {"promotion": BOUNDS}))
    assert key_of(plain, NoFiles()) == key_of(bounded, NoFiles())
