import pytest

from training.trainer.checkpoints import Checkpoints, RunState


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
