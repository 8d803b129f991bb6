import pytest
from rich.console import Console

from tests.training.sweeps.endings import ended
from training.sweeps import runner


@pytest.mark.parametrize(
    ("how", "expected"),
    [("well", {"fine": "well"}), ("killed", "was killed"), ("raises", "ValueError: no [/such] thing")],
)
def test_a_failure_affects_only_its_own_trial(monkeypatch, how, expected):
    monkeypatch.setattr(runner, "run_trial", ended)
    monkeypatch.setattr(runner, "TRAINING", ended.__module__)  # without TensorFlow, which takes seconds to import
    result = runner._in_own_process(how)
    assert result == expected or expected in result["error"]


def test_what_looks_like_markup_is_printed_as_it_is(capsys):
    trial = type("Trial", (), {"name": "domain=[user]", "seed": 1})
    Console(width=200).print(runner._line(trial, {"error": "no [/such] thing"}, []))
    assert "domain=[user], seed 1: no [/such] thing" in capsys.readouterr().out
