"""``encode`` fills the folder of rows that ``fit`` finds."""

import shutil

import pytest

from ranker.cluster.session import ClusterError
from tests.training.command import ranker_train
from tests.training.conftest import quick
from tests.training.data.encoded_files import contents
from training import encode
from training.data.cache import opened_rows
from training.data.experiment_log import open_log
from training.trainer.run_folder import begin


@pytest.fixture
def rows(quickly_trained):
    """What `fit` itself has encoded: the rows, the encoder, and the mark of a complete folder."""
    return contents(quickly_trained.output / "run" / "rows")


def test_the_folder_is_that_of_fit_byte_for_byte(quickly_trained, rows, tmp_path):
    words = ("encode", quickly_trained.config, "--data", quickly_trained.log, "--output", tmp_path / "out")
    ended = ranker_train(*words, "--processes", 2)
    assert ended.returncode == 0, ended.stderr
    folder = tmp_path / "out" / "run" / "rows"
    assert contents(folder) == rows
    assert {"fingerprint", "encoder.json", "training/rows.json"} < set(rows)
    assert f"{folder}:" in ended.stdout.replace("\n", "")
    assert "using the rows encoded in" in ranker_train(*words).stdout


def test_rows_of_the_second_training_are_encoded_too_and_a_new_run_keeps_them(log, tmp_path):
    experiment = quick(tmp_path, training={"epochs": 1, "batch_size": 512, "refit": True})
    encoded = encode(experiment, [log], output=tmp_path / "out", progress=False)
    run = tmp_path / "out" / "run"
    second = contents(run / "refit" / "rows")
    assert second["fingerprint"] != contents(run / "rows")["fingerprint"]
    assert len(opened_rows(experiment, run / "refit" / "rows").training) == encoded.training + encoded.validation
    (run / "refit" / "checkpoints").mkdir()
    begin(experiment, open_log(experiment, [log]), run, None, None, writes=True, readers=1)
    assert [path.name for path in (run / "refit").iterdir() if path.is_dir()] == ["rows"]
    assert contents(run / "refit" / "rows") == second


def test_what_was_interrupted_does_not_count_as_complete(quickly_trained, rows, tmp_path, monkeypatch):
    """Also if an actor of the job that was killed writes its last chunk while the folder is removed."""
    how = {"output": tmp_path, "progress": False}
    folder = tmp_path / "run" / "rows"
    encode(quickly_trained.config, [quickly_trained.log], **how)
    (folder / "fingerprint").unlink()
    (folder / "training" / "000000.npz").write_bytes(b"half")
    (folder / ".spans-left").mkdir()
    late = folder / ".spans-late" / "training-0-000000-000000.npz"

    def removed(path, *arguments, removing=shutil.rmtree, **how):
        removing(path, *arguments, **how)
        if path == folder:
            late.parent.mkdir(parents=True)
            late.write_bytes(b"late")

    monkeypatch.setattr(shutil, "rmtree", removed)
    encoded = encode(quickly_trained.config, [quickly_trained.log], **how)
    late.unlink()
    assert contents(folder) == rows
    assert encoded.training + encoded.validation == 4000
    assert not (folder / ".spans-left").exists()


def test_bad_options_are_refused_before_anything_is_written(quickly_trained, tmp_path):
    how = {"output": tmp_path / "out", "progress": False}
    with pytest.raises(ValueError, match="processes: must be at least 1, got 0"):
        encode(quickly_trained.config, [quickly_trained.log], processes=0, **how)
    with pytest.raises(ValueError, match="processes: a cluster has its own"):
        encode(quickly_trained.config, [quickly_trained.log], processes=2, ray="local", **how)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ClusterError, match="ray://head:1: Ray Data does not work through Ray's client"):
        encode(quickly_trained.config, [quickly_trained.log], ray="ray://head:1", **how)
    assert not (tmp_path / "out" / "run" / "rows" / "fingerprint").exists()
