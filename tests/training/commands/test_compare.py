"""A whole comparison in this process: which trial is exported, and that it is the model that was measured."""

import io

import numpy as np
import orjson
import pytest
import tensorflow as tf
from rich.console import Console

from ranker.artifact import load as load_artifact
from tests.training.conftest import quick
from training.commands import compare as job
from training.commands.compare import compare
from training.commands.evaluate import evaluate
from training.sweeps import runner
from training.sweeps.compare import expand, variations
from training.sweeps.run_trial import has_weights, run_trial
from training.trainer.run_folder import RESULT


@pytest.fixture
def in_this_process(monkeypatch):
    """Cells without a process each, on the threads that TensorFlow has, and no costs."""
    monkeypatch.setattr(runner, "_in_own_process", run_trial)
    for setting in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, setting, lambda _: None)
    monkeypatch.setattr(job, "measure_costs", lambda trials, *_: [{} for _ in trials])


def test_the_best_cell_is_exported_and_loads(in_this_process, log, tmp_path):
    base = quick(tmp_path, training={"epochs": 1, "batch_size": 256})
    vary = {"architecture.bottom": [[6], [3]]}
    trials = expand(base, variations(vary), 1)
    screen, best = io.StringIO(), tmp_path / "best"
    asked = {"vary": vary, "output": tmp_path / "out", "best_by": "mean_auc", "export_best": best}
    compare(base, [log], **asked, progress=Console(file=screen, width=200))
    results = {trial.folder: orjson.loads((tmp_path / "out" / trial.folder / RESULT).read_bytes()) for trial in trials}
    values = {folder: result["validation"]["mean_auc"] for folder, result in results.items()}
    winner = max(values, key=values.__getitem__)
    assert [has_weights(tmp_path / "out" / folder) for folder in values] == [folder == winner for folder in values]
    assert f"{best / '1'}" in screen.getvalue()
    artifact = load_artifact(best)
    assert artifact.manifest.metrics["mean_auc"] == pytest.approx(values[winner])
    held_out = evaluate(best, [log], bootstrap=0, validation=True, progress=False)
    np.testing.assert_allclose(held_out["mean_auc"], values[winner], atol=1e-4)
    compare(base, [log], **asked, progress=Console(file=screen, width=200))
    assert "was already exported" in screen.getvalue()
    assert [path.name for path in best.iterdir() if path.name.isdigit()] == ["1"]
