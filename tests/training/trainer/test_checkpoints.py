from types import SimpleNamespace

import pytest
import tensorflow as tf

from training.trainer.checkpoints import Checkpoints, RunState


class OneWeight(tf.Module):
    """What a checkpoint needs of a model."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = tf.Variable(weight)
        self.optimizer, self.weighting = tf.Module(), tf.Module()
        self.embedding = SimpleNamespace(tables={})


def ended(state: RunState, better: bool) -> RunState:
    return state.after_epoch({"epoch": state.epoch + 1, "best": better}, 0.5, better)


def test_killed_between_the_best_weights_and_the_checkpoint_the_last_best_ones_are_kept(tmp_path):
    model = OneWeight(1.0)
    checkpoints = Checkpoints(model, tmp_path)
    checkpoints.save_best(1)
    checkpoints.save(ended(RunState(), better=True))
    model.weight.assign(2.0)
    checkpoints.save_best(2)  # the kill comes here

    reread = OneWeight(0.0)
    found = Checkpoints(reread, tmp_path)
    state = found.latest()
    assert state is not None
    assert state.best_epoch == 1
    found.restore_best(1)
    assert float(reread.weight) == 1.0

    found.save(ended(state, better=False))
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["1"]
    reread.weight.assign(3.0)
    found.save_best(3)
    found.save(ended(ended(state, better=False), better=True))
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["3"]


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (None, "no step was saved; only the encoded rows are kept"),
        (RunState(), "no step was saved; only the encoded rows are kept"),  # what several processes start from
        (RunState(step=4), "the run up to epoch 1, step 4 is kept"),
        (RunState(epoch=1), "the run up to the end of epoch 1 is kept"),
    ],
)
def test_a_full_disk_deletes_what_is_partial_and_says_what_is_kept(tmp_path, monkeypatch, state, kept):
    partial = tmp_path / "checkpoints" / "latest" / "ckpt-2_temp"
    partial.mkdir(parents=True)
    checkpoints = object.__new__(Checkpoints)
    checkpoints.folder = tmp_path / "checkpoints"
    monkeypatch.setattr(checkpoints, "latest", lambda: state)
    assert f"{tmp_path}: no space left on the disk; {kept}. Make room" in str(checkpoints.disk_full(tmp_path))
    assert not partial.exists()
