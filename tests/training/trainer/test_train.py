import json
import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
import tensorflow as tf

from ranker.log_files.log_reader import DataError, Log
from tests.training.conftest import quick
from tests.training.disk_full import small_files
from tests.training.stored import file_of
from training.data.batches import EncodedRows
from training.data.cache import fingerprint
from training.data.encode import prepare
from training.disk_full import DiskFullError
from training.progress_listener import RunListener
from training.trainer.train import Run, reopen, train


@pytest.fixture(scope="module")
def finished(log, tmp_path_factory) -> Run:
    """A run of a small model with gates."""
    folder = tmp_path_factory.mktemp("finished")
    gated = {"name": "mmoe", "experts": 2, "expert_units": [4], "towers": []}
    training = {"epochs": 3, "batch_size": 256}
    return train(quick(folder, architecture=gated, training=training), [log], folder)


def copied(run: Run, output: Path) -> Path:
    """A copy of the run's output folder."""
    shutil.copytree(run.folder.parent, output)
    return output


def lines(run):
    return [orjson.loads(line) for line in (run / "steps.jsonl").read_bytes().splitlines()]


def test_every_step_is_recorded_once_with_weights_and_gramian(trained):
    steps = lines(trained.output / "run")
    rows = len(EncodedRows.open(trained.output / "run" / "rows" / "training"))
    epochs = -(-rows // 128) * 3
    assert [step["step"] for step in steps] == list(range(1, epochs + 1))
    for step in steps:
        weights = np.array(list(step["weight"].values()))
        assert list(step["weight"]) == ["click", "like", "watch_time"]
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        gramian = np.array(step["gramian"])
        assert ((weights >= 0.1 - 1e-5) | (np.diag(gramian) == 0)).all()  # no gradient, no weight
        assert np.linalg.eigvalsh(gramian).min() > -1e-6 * np.trace(gramian)
    assert list((trained.output / "run" / "tensorboard").glob("events*"))


def test_training_rows_have_statistics_of_other_days_only(trained, tmp_path):
    frame = pd.concat([pd.read_parquet(path) for path in sorted(trained.log.glob("*.parquet"))])
    day = sorted(frame["date"].unique())[2]
    today = (frame["date"] == day).to_numpy()
    click = np.where(today, 1 - frame["click"], frame["click"])
    turned = frame.assign(click=click, like=frame["like"] * click, watch_time=frame["watch_time"] * click)
    numbers = []
    for i, log in enumerate((frame, turned)):
        prepared = prepare(trained.experiment, Log([file_of(log)]), tmp_path / str(i))
        numbers.append(np.concatenate([chunk["candidate_numbers"] for chunk in prepared.training.chunks()]))
    assert len(prepared.training) + len(prepared.validation) == 4000
    changed = np.abs(numbers[0] - numbers[1]).max(axis=1) > 1e-6
    inside = today[: len(changed)]  # rows are in time order, and the last two days are held out
    assert not changed[inside].any()
    assert changed[~inside].all()


def test_it_learns_and_stops_early(trained, tmp_path):
    stopping = {"metric": "fused(default).ndcg@5(click)", "patience": 1}
    dense = {"dense": {"name": "sgd", "learning_rate": 1e-9}, "embeddings": {"name": "sgd", "learning_rate": 1e-9}}
    lists = {"group_by": "request_id", "bootstrap": 20, "metrics": ["like.mrr"]}
    training = {"epochs": 9, "batch_size": 2048}
    config = quick(tmp_path, early_stopping=stopping, optimizer=dense, training=training, evaluation=lists)
    run = train(config, [trained.log], tmp_path / "out")
    assert len(run.history) < 9  # a model that stands still stops
    reached = [epoch["tasks"]["click"]["fused(default).ndcg@5"] for epoch in run.history]
    assert run.best_epoch == 1 + int(np.argmax(reached))
    low, high = run.metrics["tasks"]["like"]["mrr_interval"]
    assert 0 < low < run.metrics["tasks"]["like"]["mrr"] < high < 1
    assert trained.experiment.training.epochs == 3
    assert "mean auc" in trained.printed


def test_another_config_starts_anew_trains_its_method_and_draws_tables_afresh_each_epoch(
    log, finished, tmp_path, monkeypatch
):
    from ranker.layers import Embedding

    drawn = []
    original = Embedding.reinitialise

    def spy(self, seed):
        drawn.append(seed)
        original(self, seed)

    monkeypatch.setattr(Embedding, "reinitialise", spy)
    training = {"epochs": 3, "batch_size": 256, "seed": 5}
    other = quick(
        tmp_path,
        weighting={"name": "uncertainty"},
        embedding={"reinitialise_each_epoch": True},
        training=training,
    )
    same_seed = other.model_copy(update={"training": finished.experiment.training})
    assert fingerprint(same_seed, finished.log) == fingerprint(finished.experiment, finished.log)
    assert fingerprint(other, finished.log) != fingerprint(finished.experiment, finished.log)
    notes, output = [], copied(finished, tmp_path / "out")
    run = train(other, [log], output, RunListener(note=notes.append))
    assert not any("using the rows encoded" in note or "resuming" in note for note in notes)
    assert (np.abs(run.model.weighting.log_variances) > 1e-3).all()
    assert drawn == [6, 7]
    again = train(other, [log], output, RunListener(note=notes.append))
    assert any("using the rows encoded" in note for note in notes)
    assert again.history == run.history


def test_killed_in_the_middle_of_an_epoch_it_goes_on_to_the_same_result_and_the_best_epoch_is_kept(
    quickly_trained, tmp_path
):
    class Killed(BaseException):
        pass

    def kill(epoch, step, *_):
        if (epoch, step) == (2, 15):  # SIGKILL leaves what is on the disk then; the chain of days is ended so
            shutil.copytree(tmp_path / "cut", tmp_path / "killed")
            raise Killed

    with pytest.raises(Killed):
        train(quickly_trained.experiment, [quickly_trained.log], tmp_path / "cut", RunListener(step=kill))
    notes, output = [], tmp_path / "killed"
    run = train(quickly_trained.experiment, [quickly_trained.log], output, RunListener(note=notes.append))
    assert any("resuming from epoch 2, step 12" in note for note in notes)
    # The fixture trained with the same seed without a break.
    saved = json.loads((quickly_trained.output / "1" / "manifest.json").read_text())["metrics"]
    assert run.metrics["tasks"] == saved["tasks"]
    assert lines(output / "run") == lines(quickly_trained.output / "run")
    best = max(run.history, key=lambda record: record["mean_auc"])
    assert run.best_epoch == best["epoch"]
    assert run.metrics["mean_auc"] == pytest.approx(best["mean_auc"], abs=1e-9)


def test_a_disk_that_fills_up_ends_a_run_in_one_line_and_it_goes_on_later(log, tmp_path):
    notes, limit = [], ExitStack()

    def fill(record):
        limit.enter_context(small_files(4096))

    with limit, pytest.raises(DiskFullError) as error:
        train(quick(tmp_path), [log], tmp_path, RunListener(epoch=fill, note=notes.append))
    assert any(note.startswith("embedding tables: ") for note in notes)
    assert re.fullmatch(
        rf"{tmp_path}/run: no space left on the disk; the run up to the end of epoch 1 is kept. Make room and .* again",
        str(error.value),
    )
    assert not list(tmp_path.glob("run/checkpoints/*/*_temp*"))
    run = train(quick(tmp_path), [log], tmp_path, RunListener(note=notes.append))
    assert any("resuming from epoch 2, step 0" in note for note in notes)
    assert [record["epoch"] for record in run.history] == [1, 2, 3]


def test_without_early_stopping_a_run_starts_anew_on_the_same_rows_and_the_last_epoch_is_kept_wherever_it_is_moved(
    log, finished, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    here, notes = copied(finished, Path("here")), []
    kept = (here / "run" / "rows" / "training" / "rows.json").stat().st_mtime_ns
    changed = finished.experiment.model_copy(update={"early_stopping": None})
    run = train(changed, [log], here, RunListener(note=notes.append))
    assert (here / "run" / "rows" / "training" / "rows.json").stat().st_mtime_ns == kept
    assert any("using the rows encoded" in note for note in notes)
    assert not any("resuming" in note for note in notes)
    assert len(run.history) == 3
    assert [record["losses"] for record in run.history] == [record["losses"] for record in finished.history]

    assert [record["best"] for record in run.history] == [True] * 3
    assert run.best_epoch == 3
    assert run.metrics["tasks"]["click"]["auc"] == pytest.approx(run.history[-1]["tasks"]["click"]["auc"], abs=1e-9)

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = tmp_path / "moved"
    (tmp_path / "here").rename(moved)
    assert reopen(moved).history == run.history
    (moved / "run" / "run.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read; run `fit` again"):
        reopen(moved)


def test_what_gates_do_is_recorded_each_epoch(trained):
    seen = [orjson.loads(line) for line in (trained.output / "run" / "gates.jsonl").read_bytes().splitlines()]
    assert len(seen) == 3
    for record in seen:
        for view in record["gates"]:
            assert sum(view["weights"].values()) == pytest.approx(1, abs=1e-5)
            assert 0 <= view["entropy"] <= 1
    manifest = json.loads((trained.output / "1" / "manifest.json").read_text())
    assert {view["gate"] for view in manifest["gates"]["gates"]} >= {"gate_click", "gate_like", "gate_watch_time"}


def test_a_stored_table_trains_as_other_files_do_and_other_validation_files_are_noticed(log, tmp_path):
    frame = pd.concat([pd.read_parquet(path) for path in sorted(log.glob("*.parquet"))])
    held_out, table = tmp_path / "held_out.parquet", file_of(frame)
    data = {"split": {"by": "files", "paths": [str(held_out)]}}
    experiment = quick(tmp_path, data=data, training={"epochs": 1, "batch_size": 512})
    for rows in (1000, 700):
        frame.iloc[:rows].to_parquet(held_out)
        run = train(experiment, [table], tmp_path / "out")
        assert len(run.prepared.validation) == rows
        assert run.metrics["tasks"]["click"]["rows"] == rows
        assert 0.4 < run.metrics["mean_auc"] < 1
        assert isinstance(run.model, tf.keras.Model)


def test_a_run_whose_clearing_was_cut_short_starts_anew_and_encodes_half_deleted_rows_again(log, finished, tmp_path):
    output, notes = copied(finished, tmp_path / "out"), []
    (output / "run" / "run.json").unlink()  # what is removed first
    (output / "run" / "rows" / "validation" / "rows.json").unlink()
    again = train(finished.experiment, [log], output, RunListener(note=notes.append))
    assert not any("resuming" in note or "using the rows encoded" in note for note in notes)
    assert len(again.history) == 3
    assert again.history == finished.history
    assert len((output / "run" / "gates.jsonl").read_bytes().splitlines()) == 3
