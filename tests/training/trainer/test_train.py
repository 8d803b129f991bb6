import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
import tensorflow as tf

from tests.training.conftest import QUICK, quick, written
from tests.training.disk_full import small_files
from tests.training.stored import file_of
from training.config.experiment import load
from training.data.batches import EncodedRows
from training.data.encode import prepare
from training.data.log_reader import DataError, Log
from training.disk_full import DiskFullError
from training.progress_listener import RunListener
from training.trainer.train import reopen, train


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


def test_the_same_seed_gives_the_same_model_and_the_best_epoch_is_kept(trained, tmp_path):
    records = []
    run = train(trained.experiment, [trained.log], tmp_path, RunListener(epoch=records.append))
    saved = json.loads((trained.output / "1" / "manifest.json").read_text())["metrics"]
    assert run.metrics["tasks"]["click"]["auc"] == saved["tasks"]["click"]["auc"]
    best = max(records, key=lambda record: record["mean_auc"])
    assert run.best_epoch == best["epoch"]
    assert run.metrics["mean_auc"] == pytest.approx(best["mean_auc"], abs=1e-9)


def test_it_learns_and_stops_early(trained, tmp_path):
    stopping = {"metric": "click.auc", "patience": 1}
    dense = {"dense": {"name": "sgd", "learning_rate": 1e-9}, "embeddings": {"name": "sgd", "learning_rate": 1e-9}}
    config = quick(tmp_path, early_stopping=stopping, optimizer=dense, training={"epochs": 9, "batch_size": 2048})
    run = train(config, [trained.log], tmp_path / "out")
    assert len(run.history) < 9  # a model that stands still stops
    assert trained.experiment.training.epochs == 3
    assert "mean auc" in trained.printed


def test_variables_of_the_method_are_trained(trained, tmp_path):
    config = quick(tmp_path, weighting={"name": "uncertainty"}, training={"epochs": 1, "batch_size": 256})
    run = train(config, [trained.log], tmp_path / "out")
    assert (np.abs(run.model.weighting.log_variances) > 1e-3).all()


def test_tables_are_drawn_afresh_each_epoch(trained, tmp_path, monkeypatch):
    from ranker.layers import Embedding

    drawn = []
    original = Embedding.reinitialise

    def spy(self, seed):
        drawn.append(seed)
        original(self, seed)

    monkeypatch.setattr(Embedding, "reinitialise", spy)
    train(quick(tmp_path, embedding={"reinitialise_each_epoch": True}), [trained.log], tmp_path / "out")
    assert drawn == [1, 2]


def test_killed_in_the_middle_of_an_epoch_it_goes_on_to_the_same_result(trained, tmp_path):
    config = written(tmp_path, QUICK, weighting="pe_ltr")
    whole = train(load(config), [trained.log], tmp_path / "whole")
    command = [sys.executable, "-m", "training.cli", "fit", str(config), "--data", str(trained.log)]
    command += ["--output", str(tmp_path)]
    steps = tmp_path / "run" / "steps.jsonl"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    index = tmp_path / "run" / "checkpoints" / "latest" / "checkpoint"
    while not (index.is_file() and steps.is_file() and len(steps.read_bytes().splitlines()) > 30):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "1").exists()
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resuming from epoch" in ended.stdout
    metrics = json.loads((tmp_path / "1" / "manifest.json").read_text())["metrics"]
    assert metrics["tasks"] == whole.metrics["tasks"]
    assert lines(tmp_path / "run") == lines(tmp_path / "whole" / "run")


def test_a_disk_that_fills_up_ends_a_run_in_one_line_and_it_goes_on_later(trained, tmp_path):
    notes, limit = [], ExitStack()

    def fill(record):
        limit.enter_context(small_files(4096))

    with limit, pytest.raises(DiskFullError) as error:
        train(quick(tmp_path), [trained.log], tmp_path, RunListener(epoch=fill, note=notes.append))
    assert any(note.startswith("embedding tables: ") for note in notes)
    assert re.fullmatch(
        rf"{tmp_path}/run: no space left on the disk; the run up to the end of epoch 1 is kept. Make room and .* again",
        str(error.value),
    )
    assert not list(tmp_path.glob("run/checkpoints/*/*_temp*"))
    run = train(quick(tmp_path), [trained.log], tmp_path, RunListener(note=notes.append))
    assert any("resuming from epoch 2, step 0" in note for note in notes)
    assert [record["epoch"] for record in run.history] == [1, 2, 3]


def test_another_config_starts_anew(trained, tmp_path):
    notes = []
    small = {"epochs": 1, "batch_size": 512}
    train(quick(tmp_path, training=small), [trained.log], tmp_path / "out")
    other = quick(tmp_path, training={**small, "seed": 5})
    train(other, [trained.log], tmp_path / "out", RunListener(note=notes.append))
    assert not any("using the rows encoded" in note for note in notes)
    train(other, [trained.log], tmp_path / "out", RunListener(note=notes.append))
    assert any("using the rows encoded" in note for note in notes)


def test_a_stored_table_trains_as_other_files_do(trained, tmp_path):
    frame = pd.concat([pd.read_parquet(path) for path in sorted(trained.log.glob("*.parquet"))])
    run = train(quick(tmp_path, training={"epochs": 1, "batch_size": 512}), [file_of(frame)], tmp_path / "out")
    assert 0.4 < run.metrics["mean_auc"] < 1
    assert isinstance(run.model, tf.keras.Model)


def test_a_changed_config_starts_anew_on_the_same_rows(trained, tmp_path):
    notes = []
    listener = RunListener(note=notes.append)
    experiment = quick(tmp_path)
    first = train(experiment, [trained.log], tmp_path, listener)
    kept = (tmp_path / "run" / "rows" / "training" / "rows.json").stat().st_mtime_ns
    changed = experiment.model_copy(update={"early_stopping": None})
    second = train(changed, [trained.log], tmp_path, listener)
    assert (tmp_path / "run" / "rows" / "training" / "rows.json").stat().st_mtime_ns == kept
    assert any("using the rows encoded" in note for note in notes)
    assert not any("resuming" in note for note in notes)
    assert len(second.history) == 3
    assert [record["losses"] for record in second.history] == [record["losses"] for record in first.history]


def test_without_early_stopping_the_last_epoch_is_kept(trained, tmp_path):
    run = train(quick(tmp_path, early_stopping=None), [trained.log], tmp_path)
    assert [record["best"] for record in run.history] == [True] * 3
    assert run.best_epoch == 3
    assert run.metrics["tasks"]["click"]["auc"] == pytest.approx(run.history[-1]["tasks"]["click"]["auc"], abs=1e-9)


def test_what_gates_do_is_recorded_each_epoch(trained):
    seen = [orjson.loads(line) for line in (trained.output / "run" / "gates.jsonl").read_bytes().splitlines()]
    assert len(seen) == 3
    for record in seen:
        for view in record["gates"]:
            assert sum(view["weights"].values()) == pytest.approx(1, abs=1e-5)
            assert 0 <= view["entropy"] <= 1
    manifest = json.loads((trained.output / "1" / "manifest.json").read_text())
    assert {view["gate"] for view in manifest["gates"]["gates"]} >= {"gate_click", "gate_like", "gate_watch_time"}


def test_other_validation_files_are_noticed(trained, tmp_path):
    frame = pd.concat([pd.read_parquet(path) for path in sorted(trained.log.glob("*.parquet"))])
    held_out = tmp_path / "held_out.parquet"
    data = {"split": {"by": "files", "paths": [str(held_out)]}}
    experiment = quick(tmp_path, data=data, training={"epochs": 1, "batch_size": 512})
    for rows in (500, 300):
        frame.iloc[:rows].to_parquet(held_out)
        run = train(experiment, [trained.log], tmp_path / "out")
        assert len(run.prepared.validation) == rows
        assert run.metrics["tasks"]["click"]["rows"] == rows


def test_a_run_whose_clearing_was_cut_short_starts_anew(trained, tmp_path):
    experiment = quick(tmp_path, architecture={"name": "mmoe", "experts": 2, "expert_units": [4], "towers": []})
    first = train(experiment, [trained.log], tmp_path)
    (tmp_path / "run" / "run.json").unlink()  # what is removed first
    notes = []
    again = train(experiment, [trained.log], tmp_path, RunListener(note=notes.append))
    assert not any("resuming" in note for note in notes)
    assert again.history == first.history
    assert len((tmp_path / "run" / "gates.jsonl").read_bytes().splitlines()) == 3


def test_rows_that_were_half_deleted_are_encoded_anew(trained, tmp_path):
    experiment = quick(tmp_path)
    train(experiment, [trained.log], tmp_path)
    (tmp_path / "run" / "rows" / "validation" / "rows.json").unlink()
    (tmp_path / "run" / "run.json").unlink()
    assert len(train(experiment, [trained.log], tmp_path).history) == 3


def test_a_run_can_be_exported_from_anywhere(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(quick(tmp_path), [trained.log], Path("here"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    moved = tmp_path / "moved"
    (tmp_path / "here").rename(moved)
    assert len(reopen(moved).history) == 3
    (moved / "run" / "run.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read; run `fit` again"):
        reopen(moved)
