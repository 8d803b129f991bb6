"""Configs of online searches: the shipped one, and mistakes by line and path."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ranker.config.file import ConfigError
from tests.training.online.world import config_of
from training.config.online import load_online
from training.online.read_logs import LogObservations
from training.online_methods import CrossEntropy, Thompson

ROOT = Path(__file__).parents[3]


def test_the_shipped_config_is_valid() -> None:
    config = load_online(ROOT / "configs" / "online.yaml")
    assert config.logs.within == timedelta(minutes=30)
    assert list(config.metrics) == ["reward", "watch"]
    LogObservations(config.logs, config.metrics)


def test_defaults_and_short_forms() -> None:
    config = config_of()
    assert isinstance(config.method, CrossEntropy.Options)
    assert isinstance(config_of(method="thompson").method, Thompson.Options)
    assert config_of(guardrails={"stay": "stay / users"}).guardrails["stay"].most_loss == 0.0
    assert config_of(name="my-search").winner_name == "my_search"
    assert config_of(winner="bold").winner_name == "bold"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control": 0.0}, r"control: must be greater than 0"),
        ({"control": 1.0}, r"control: must be less than 1"),
        ({"control": 0.98}, r"control: leaves each of 6 sets 0\.00333 of the users, below 0\.005; use fewer sets"),
        ({"round": {}}, r"round: set units, requests or period; without one it would never end"),
        ({"round": {"period": "2 weeks"}}, r"round\.period: must be a number and s, m, h or d, such as 90s, 30m"),
        ({"budget": {"rounds": None}}, r"budget: set rounds, requests or period"),
        ({"method": "thomson"}, r"method.*thompson"),
        ({"method": {"name": "cross_entropy", "elit": 0.5}}, r"did you mean 'elite'\?"),
        ({"guardrails": {"reward": "click / users"}}, r"guardrails\.reward: is the name of the reward"),
        ({"name": "no spaces"}, r"name: "),
        ({"service": {"models": "m", "urls": ["http://a"], "admin_key_env": "K"}}, r"name exactly one of unit"),
        (
            {"service": {"models": "m", "urls": ["http://a"], "unit": "u"}},
            r"exactly one of admin_key_env and admin_key",
        ),
        ({"service": {"models": "m", "urls": [], "unit": "u", "admin_key_env": "K"}}, r"service\.urls: "),
    ],
)
def test_mistakes_are_named(tmp_path, changes, message) -> None:
    file = tmp_path / "online.yaml"
    content = yaml.safe_load((ROOT / "configs" / "online.yaml").read_text())
    file.write_text(yaml.safe_dump({**content, **changes}))
    with pytest.raises(ConfigError, match=message):
        load_online(file)
