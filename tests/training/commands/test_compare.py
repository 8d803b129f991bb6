"""A whole comparison of a DataFrame in this process: which trial is exported, and that it is what was measured."""

import io

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import training
from ranker.artifact import load as load_artifact
from tests.training.conftest import quick
from tests.training.sweeps.in_this_process import run_trials_here
from training.commands import compare as job
from training.commands.evaluate import evaluate
from training.sweeps.compare import expand, variations
from training.sweeps.run_trial import has_weights
from training.trainer.run_folder import RESULT


@pytest.fixture
def in_this_process(monkeypatch):
    """Cells without a process each, and no costs."""
    run_trials_here(monkeypatch)
    monkeypatch.setattr(job, "measure_costs", lambda trials, *_: [{} for _ in trials])


def test_a_frame_is_compared_and_the_best_cell_is_exported_and_loads(in_this_process, log, tmp_path):
    frame = pq.read_table(log).to_pandas()
    lists = {"group_by": "request_id", "bootstrap": 0}
    base = quick(tmp_path, training={"epochs": 1, "batch_size": 256}, evaluation=lists)
    vary = {"architecture.bottom": [[6], [3]]}
    trials = expand(base, variations(vary), 1)
    screen, best, output = io.StringIO(), tmp_path / "best", tmp_path / "out"
    asked = {"vary": vary, "output": output, "best_by": "click.ndcg@5", "export_best": best}
    asked["progress"] = Console(file=screen, width=200)
    found = training.compare(base, frame, **asked)
    assert [row.errors for row in found.rows] == [(), ()]
    table = found.to_frame()
    assert list(table["architecture.bottom"]) == ["[6]", "[3]"]
    assert table["mean_auc"].between(0.4, 1).all()
    assert {"click.auc", "click.gauc", "click.ndcg@5"} <= set(table.columns)
    assert "click NDCG@5" in (output / "results.md").read_text()
    assert found.report.is_file()
    results = {trial.folder: orjson.loads((output / trial.folder / RESULT).read_bytes()) for trial in trials}
    values = {folder: result["validation"]["tasks"]["click"]["ndcg@5"] for folder, result in results.items()}
    winner = max(values, key=values.__getitem__)
    assert [has_weights(output / folder) for folder in values] == [folder == winner for folder in values]
    assert f"{best / '1'}" in screen.getvalue()
    artifact = load_artifact(best)
    assert artifact.manifest.metrics["tasks"]["click"]["ndcg@5"] == pytest.approx(values[winner])
    held_out = evaluate(best, frame, bootstrap=0, validation=True, metrics="click.ndcg@5", progress=False)
    np.testing.assert_allclose(held_out["tasks"]["click"]["ndcg@5"], values[winner], atol=1e-4)
    assert held_out["rankings"]["metrics"]["click.ndcg@5"]["value"] == held_out["tasks"]["click"]["ndcg@5"]

    (loser,) = set(values) - {winner}
    before = (output / loser / RESULT).stat().st_mtime_ns
    (output / winner / RESULT).unlink()  # whose weights are there still
    again = training.compare(base, frame, **asked)
    assert "1 of 2 trials are already done" in screen.getvalue()
    assert (output / loser / RESULT).stat().st_mtime_ns == before
    assert [row.tasks for row in again.rows] == [row.tasks for row in found.rows]
    assert "was already exported" in screen.getvalue()
    assert [path.name for path in best.iterdir() if path.name.isdigit()] == ["1"]
