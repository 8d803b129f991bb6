import pytest

from ranker.artifact import ArtifactError
from serving.rank import Ranker
from serving.runtime import EngineError, OnnxRuntime
from serving.settings import Settings, SettingsError


def test_golden_requests_that_score_otherwise_are_refused(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path, change_scores=1e-3)
    with pytest.raises(ArtifactError, match=r"golden request 0, task 'click': scores differ by 1\.00e-03"):
        Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=10)


def test_a_spoilt_file_is_refused(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path)
    artifact.model_path.write_bytes(artifact.model_path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match=r"model\.onnx: differs from what was exported"):
        Ranker.load(Settings(artifact=tmp_path))


def test_a_device_that_is_not_there_is_explained(artifact):
    with pytest.raises(EngineError, match=r"CUDAExecutionProvider.*choose --device cpu"):
        OnnxRuntime(artifact.model_path, device="cuda")


def test_settings_come_back_from_the_environment():
    settings = Settings(artifact="/a", device="cpu", threads=3, concurrency=4, max_candidates=7)
    assert Settings.from_environment(settings.environment()) == settings


def test_a_bad_setting_is_named():
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_THREADS: .*got 'many'"):
        Settings.from_environment({"RANKER_SERVE_ARTIFACT": "/a", "RANKER_SERVE_THREADS": "many"})
