"""The command as a person runs it: killed, taken up again, asked for another rule."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console

from ranker.artifact import load as load_artifact
from tests.training.command import ranker_train
from tests.training.conftest import QUICK, written
from tests.training.reports.browser import dom
from tests.training.sweeps.in_this_process import run_trials_here
from training.commands.evaluate import evaluate
from training.commands.pareto import pareto
from training.config.experiment import load
from training.sweeps.pareto import choice, expand
from training.sweeps.run_trial import drop_weights, has_weights

TASKS = {"click": QUICK["schema"]["tasks"]["click"], "like": QUICK["schema"]["tasks"]["like"]}
TINY = {
    "schema": {**QUICK["schema"], "tasks": TASKS},
    "architecture": {"name": "shared_bottom", "bottom": [8], "towers": []},
    "training": {"epochs": 1, "batch_size": 256},
}
LIMIT = 300


def saved(output):
    return json.loads((output / "pareto.json").read_text())


@pytest.fixture(scope="module")
def finished(log, tmp_path_factory):
    """A front that was killed after its first training and then finished: its config, folder, and what was printed."""
    folder = tmp_path_factory.mktemp("pareto")
    config, output = written(folder, QUICK, **TINY), folder / "out"
    arguments = ("pareto", config, "--data", log, "--test", log, "--output", output, "--points", 3)
    command = [sys.executable, "-m", "training.cli", *map(str, arguments)]
    screen = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = subprocess.Popen(command, **screen, start_new_session=True)
    until = time.monotonic() + LIMIT
    while not list(output.glob("cells/*/result.json")):
        assert killed.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    with pytest.MonkeyPatch.context() as patch:
        run_trials_here(patch)
        ended = ranker_train(*arguments)
    assert ended.returncode == 0, ended.stderr
    return config, output, ended.stdout


def again(config, log, output, **asked):
    """The same front under a rule, in this process; what was printed."""
    experiment, screen = load(config), io.StringIO()
    chosen = choice(experiment, *(asked.get(name) for name in ("objectives", "pick", "prefer")))
    trials = expand(experiment, 3, 0.8, ["pe_ltr"])
    summary, artifact = pareto(experiment, trials, chosen, [log], [log], output, 1, Console(file=screen, width=160))
    return summary, artifact, screen.getvalue()


def test_what_was_killed_goes_on_and_ends_with_a_front_and_an_artifact(finished, log):
    _, output, printed = finished
    assert "1 of 3 trials are already done" in printed
    found = saved(output)
    assert len(found["models"]) == 3
    assert not found["errors"]
    assert set(found["hypervolume"]) == set(found["hypervolume_test"]) == {"pe_ltr", "all"}
    (picked,) = (model for model in found["models"] if model["standing"] == "picked")
    artifact = load_artifact(output)
    assert artifact.manifest.version == 1
    assert artifact.manifest.experiment["weighting"] == picked["weighting"]
    for task in TASKS:
        assert artifact.manifest.metrics["tasks"][task]["auc"] == pytest.approx(picked["validation"][f"{task}.auc"])
    on_log = evaluate(output, [log], bootstrap=0, progress=False)
    for task in TASKS:
        assert on_log["tasks"][task]["auc"] == pytest.approx(picked["test"][f"{task}.auc"], abs=1e-6)


def test_dominated_models_lose_their_weights_and_keep_their_results(finished):
    config, output, _ = finished
    trials = expand(load(config), 3, 0.8, ["pe_ltr"])
    for trial, model in zip(trials, saved(output)["models"], strict=True):
        folder = output / "cells" / trial.folder
        assert (folder / "result.json").is_file()
        assert has_weights(folder) == (model["standing"] != "dominated")


def test_another_rule_trains_nothing_and_the_same_pick_is_exported_once(finished, log):
    config, output, _ = finished
    results = {path: path.stat().st_mtime_ns for path in output.glob("cells/*/result.json")}
    _, first, _ = again(config, log, output)
    _, second, printed = again(config, log, output, pick="least_misery")
    assert "3 of 3 trials are already done" in printed
    assert first.folder == second.folder
    assert {path: path.stat().st_mtime_ns for path in output.glob("cells/*/result.json")} == results


def test_a_picked_model_whose_weights_are_gone_is_trained_again_to_the_same_metrics(finished, log, monkeypatch):
    run_trials_here(monkeypatch)
    config, output, _ = finished
    before, _, _ = again(config, log, output)
    (output / "picked.json").unlink()
    for folder in output.glob("cells/*/run"):
        drop_weights(folder.parent)
    after, artifact, printed = again(config, log, output)
    assert "training it again" in printed
    assert after == before
    picked = after.models[after.picked].validation
    assert artifact.manifest.metrics["tasks"]["click"]["auc"] == pytest.approx(picked["click.auc"])


def test_the_page_is_drawn(finished, tmp_path):
    _, output, _ = finished
    shown = dom((output / "pareto.html").read_text(), tmp_path)
    assert shown.count('class="marks"') == 2
    assert "Test rows were not used for selection." in shown


def test_cells_that_all_fail_are_one_error(log, tmp_path, monkeypatch):
    run_trials_here(monkeypatch)
    schema = {**TINY["schema"], "tasks": {**TASKS, "watch_time": {"kind": "binary"}}}
    experiment = load(written(tmp_path, QUICK, **{**TINY, "schema": schema}))
    trials, asked = expand(experiment, 4, 0.8, ["static"])[:1], choice(experiment, None, None, None)
    with pytest.raises(RuntimeError, match=r"no model could be trained.*'watch_time'.*is not a label in \{0, 1\}"):
        pareto(experiment, trials, asked, [log], [], tmp_path / "out", 1, Console(file=io.StringIO()))
