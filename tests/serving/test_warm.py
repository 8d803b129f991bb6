"""Servers that a warm Python forks are as those of the command."""

import os
import signal
import subprocess
import tempfile

import pytest

from tests.serving.server_process import environment, free_port
from tests.serving.warm import ranker_serve, warm


def test_a_process_tells_how_it_ends(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what a killed server leaves
    settings = {"engine": "onnxruntime", "port": free_port()}
    with tempfile.TemporaryFile() as log:
        killed = warm().start([str(artifact.folder)], environment(settings), log, log)
        assert killed.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            killed.wait(timeout=0)
        ended = ranker_serve(artifact.folder, "--workers", 0)  # while the other runs
        killed.kill()
        assert killed.wait(timeout=60) == killed.poll() == killed.returncode == -signal.SIGKILL
        killed.terminate()  # of one that has ended does nothing
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "RANKER_SERVE_WORKERS: " in ended.stderr


def test_variables_and_the_folder_are_those_of_this_process(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("RANKER_SERVE_PORT", "no port")
    assert "RANKER_SERVE_PORT: " in ranker_serve(artifact.folder).stderr
    monkeypatch.delenv("RANKER_SERVE_PORT")
    monkeypatch.chdir(tmp_path)
    assert "error: here: " in ranker_serve("here").stderr


def test_where_python_would_begin_otherwise_it_begins_anew(artifact, tmp_path, monkeypatch):
    warm()
    (tmp_path / "sitecustomize.py").write_text("import os\nos.write(2, b'begun anew')\nos._exit(3)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    ended = ranker_serve(artifact.folder)
    assert (ended.returncode, ended.stderr) == (3, "begun anew")
