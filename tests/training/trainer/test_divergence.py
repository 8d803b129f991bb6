import numpy as np
import pandas as pd
import pytest

from tests.training.conftest import QUICK, quick
from tests.training.stored import file_of
from training.trainer.divergence import DivergedError
from training.trainer.train import reopen, train

SMALL = {"epochs": 3, "batch_size": 512}


def tasks(**changes):
    context = {"user_id": {"kind": "categorical", "dimension": 4}}
    candidate = {"item_id": {"kind": "categorical", "dimension": 4}}
    of_tasks = {**QUICK["schema"]["tasks"], **changes}
    return {"candidate_id": "item_id", "context": context, "candidate": candidate, "tasks": of_tasks}


def frame(log, **columns):
    whole = pd.concat([pd.read_parquet(path) for path in sorted(log.glob("*.parquet"))], ignore_index=True)
    return whole.assign(**{name: change(whole) for name, change in columns.items()})


def test_labels_too_large_are_named_with_the_step_and_what_to_try(log, tmp_path):
    huge = frame(log, watch_time=lambda whole: whole.watch_time * 1e25)
    schema = tasks(watch_time={"kind": "regression", "given": "click"})
    with pytest.raises(DivergedError) as ended:
        train(quick(tmp_path, schema=schema, training=SMALL), [file_of(huge)], tmp_path / "out")
    for part in (
        "loss not finite in epoch 1, step 1, for watch_time",
        "optimizer.dense.learning_rate is 0.001",
        "the largest label of watch_time is ",
        "Try a smaller learning rate, optimizer.dense.clip_norm: 1, tasks.watch_time.transform: log1p",
        "No epoch finished, so nothing is kept",
    ):
        assert part in str(ended.value)
    assert ended.value.epoch == 1
    assert not (tmp_path / "out" / "run" / "checkpoints").exists()


def test_the_best_epoch_before_it_is_kept_and_can_be_opened(log, tmp_path, monkeypatch):
    experiment = quick(tmp_path, training=SMALL)
    from training.trainer import validation

    calls, real = [], validation.predict

    def spoilt(*arguments):
        found = real(*arguments)
        calls.append(None)
        if len(calls) == 2:
            found.scores[:, 1] = np.nan
        return found

    monkeypatch.setattr(validation, "predict", spoilt)
    with pytest.raises(DivergedError, match="scores not finite after epoch 2, for like") as ended:
        train(experiment, [log], tmp_path / "out")
    assert f"Epoch 1 is kept: `ranker-train export {tmp_path / 'out'}` exports it" in str(ended.value)
    assert reopen(tmp_path / "out").best_epoch == 1
