"""Fits that train some tasks at a time, compare gradients now and then, or read tasks from different files.

The order of tasks is tested on the shipped configs of schedules.
"""

import shutil

import numpy as np
import orjson
import pandas as pd
import pytest
import tensorflow as tf

from ranker.log_files.log_reader import DataError
from tests.training.conftest import QUICK, quick
from training.data.batches import EncodedWriter
from training.progress_listener import RunListener
from training.trainer.train import train
from training.trainer.validation import mean_loss


def steps(folder):
    return [orjson.loads(line) for line in (folder / "run" / "steps.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize(
    "weighting",
    [
        {"name": "pe_ltr", "bounds": 0.1, "gradients_of": "shared_with_embeddings", "every": 3},
        {"name": "famo"},
        {"name": "dwa", "window": 4},
    ],
    ids=lambda weighting: weighting["name"],
)
def test_cut_short_it_goes_on_to_the_same_result(log, tmp_path, weighting):
    tasks = {name: QUICK["schema"]["tasks"][name] for name in ("click", "like")}
    changes = {"schema": {**QUICK["schema"], "tasks": tasks}, "training": {"epochs": 2, "batch_size": 128}}
    config = quick(
        tmp_path, schedule={"phases": [{"tasks": ["click"], "epochs": 1}, {}]}, weighting=weighting, **changes
    )

    def keep(record):
        if record["epoch"] == 1:  # what is on the disk if the run is killed now
            shutil.copytree(tmp_path / "whole", tmp_path / "cut")

    whole = train(config, [log], tmp_path / "whole", RunListener(epoch=keep))
    notes = []
    again = train(config, [log], tmp_path / "cut", RunListener(note=notes.append))
    assert any("resuming from epoch 2, step 0" in note for note in notes)
    assert again.metrics == whole.metrics
    assert steps(tmp_path / "cut") == steps(tmp_path / "whole")


def test_tasks_from_different_files(log, tmp_path):
    frame = pd.concat([pd.read_parquet(path) for path in sorted(log.glob("*.parquet"))])
    parts = [frame.iloc[::2].drop(columns=["watch_time"]), frame.iloc[1::2].drop(columns=["click"])]
    for name, part in zip("ab", parts, strict=True):
        part.to_parquet(tmp_path / f"{name}.parquet", index=False)
    tasks = {"click": {"kind": "binary"}, "watch_time": {"kind": "regression", "transform": "log1p"}}
    changes = {"schema": {**QUICK["schema"], "tasks": tasks}, "training": {"epochs": 1, "batch_size": 512}}
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    with pytest.raises(DataError, match="no row has labels of both 'click' and 'watch_time'"):
        train(quick(tmp_path, weighting={"name": "mgda"}, **changes), files, tmp_path / "out")
    exact = {"name": "pe_ltr", "bounds": 0.1, "gradients_of": "shared"}
    run = train(quick(tmp_path, weighting=exact, **changes), files, tmp_path / "out")
    assert set(run.metrics["tasks"]) == set(tasks)
    assert all(min(step["weight"].values()) > 0.1 - 1e-5 for step in steps(tmp_path / "out"))


def test_the_mean_validation_loss_counts_rows_with_labels_and_tasks_that_have_any(tmp_path):
    writer = EncodedWriter(tmp_path / "rows")
    for known in ([[1, 0, 0]], [[1, 1, 0], [1, 0, 0], [0, 1, 0]]):
        writer.write({"known": np.array(known, np.float32)})
    losses = iter([[3.0, 0.0, 0.0], [6.0, 2.0, 0.0]])
    found = mean_loss(lambda _: {"losses": tf.constant(next(losses))}, writer.close())
    assert found == pytest.approx((5.0 + 2.0) / 2)


def test_losses_of_unlike_magnitude_are_noted(log, tmp_path):
    notes = []
    tasks = {"click": {"kind": "binary"}, "watch_time": {"kind": "regression"}}
    changes = {"schema": {**QUICK["schema"], "tasks": tasks}, "training": {"epochs": 1, "batch_size": 512}}
    config = quick(tmp_path, weighting={"name": "dwa"}, **changes)
    train(config, [log], tmp_path / "out", RunListener(note=notes.append))
    assert any("dwa weights losses of different magnitude, 'watch_time'" in note for note in notes)
