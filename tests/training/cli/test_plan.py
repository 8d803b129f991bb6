import json

import pytest
from typer.testing import CliRunner

from tests.training.planning.made_up import COSTS
from training.cli import app
from training.cli.terminal import console
from training.planning import PlanInputs
from training.planning.growth import GROWN
from training.planning.limits import LIMITS
from training.planning.stages import STAGES


def run(*words):
    console.width = 200
    return CliRunner().invoke(app, ["plan", *map(str, words)])


def test_it_shows_every_stage_and_what_breaks_first(tmp_path):
    file = tmp_path / "plan.json"
    ended = run("--growth", "--formulas", "--json", file)
    assert ended.exit_code == 0, ended.output
    for name in (*STAGES, *GROWN):
        assert name in ended.stdout
    assert "training: distribute: " in ended.stdout
    assert "Prices: 0.05 a core hour" in ended.stdout
    written = json.loads(file.read_text())
    assert written["inputs"] == PlanInputs().model_dump(mode="json")
    assert [each["input"] for each in written["growth"]] == list(GROWN)
    assert written["limits"].keys() == LIMITS.keys()
    assert written["money_per_day"] == pytest.approx(sum(s["money"]["total"] for s in written["stages"].values()))


def test_own_costs_and_inputs_count(tmp_path):
    costs, file = tmp_path / "costs.json", tmp_path / "plan.json"
    costs.write_text(json.dumps(COSTS))
    ended = run("--costs", costs, "--impressions-per-day", "8.64e6", "--peak-rps", "100", "--candidates", "100",
                "--items", "1e6", "--users", "4_000_000", "--core-hour", "0", "--json", file)  # fmt: skip
    assert ended.exit_code == 0, ended.output
    written = json.loads(file.read_text())
    assert written["stages"]["serve"]["cpu_s"] == pytest.approx(864_000 * 2e-3)
    assert written["stages"]["serve"]["money"]["compute"] == 0
    assert written["costs_measured"] == "2026-01-31"
    assert "grows tenfold" not in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--impressions-per-day", "-1e9"], "--impressions-per-day -1e9: input should be greater than or equal to 1"),
        (["--users", "nan"], "--users nan: "),
        (["--candidates", "2e8"], "--candidates: 2e+08 of a request are more than the 1e+08 items"),
        (["--peak-rps", "1"], "--peak-rps: 1 is below the mean"),
        (["--costs", "none.json"], "none.json: cannot be read"),
        (["--json", "."], "--json '.': is a folder"),
    ],
)
def test_mistakes_are_named(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run(*words)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_help_shows_defaults():
    shown = run("--help").stdout
    for text in ("--impressions-per-day", "[default: 1e+09]", "--peak-rps", "--gb-egress"):
        assert text in shown
