"""Which version a service starts with, and a version that is named by a setting or a file: real servers."""

import shutil

import httpx
import pytest

from serving.observability.metrics import Metrics
from serving.registry.catalog import Catalogue
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.settings import Settings, SettingsError
from tests.serving.asking import patiently, post
from tests.serving.conftest import server
from tests.serving.registry.test_reload import KEYED, ask, causes, corrupt, other_scores, resealed, status
from tests.serving.test_cli import ranker_serve


def sample(url, name):
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


def file_refusals(service):
    return [line["reason"] for line in service.log() if line["event"] == "version file refused"]


def half_copied(root, version):
    """What a copy looks like that has written the manifest and not yet the model."""
    (resealed(root, version) / "model.onnx").unlink()


def test_a_service_starts_with_the_newest_version_that_passes(write_artifact, tmp_path, body):
    write_artifact(tmp_path)
    write_artifact(tmp_path)
    other_scores(tmp_path, 3)
    half_copied(tmp_path, 4)
    with server(tmp_path, watch=0.2, **KEYED) as service:
        assert post(service.url, body).json()["model_version"] == 2
        patiently(lambda: causes(service) == [(4, "unreadable"), (3, "scores")])
        assert status(service.url)["refused"] == {"4": "unreadable", "3": "scores"}
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 1)
        patiently(lambda: sample(service.url, 'ranker_reloads_total{model="default",outcome="scores"}') == 1)
        assert sample(service.url, 'ranker_reloads_total{model="default",outcome="unreadable"}') == 1
        assert sample(service.url, 'ranker_model_age_seconds{model="default"}') > 0
        shutil.copy(tmp_path / "1" / "model.onnx", tmp_path / "4" / "model.onnx")
        patiently(lambda: status(service.url)["version"] == 4)
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 0)
        assert causes(service) == [(4, "unreadable"), (3, "scores")]  # neither was tried again before it changed


def test_where_no_version_passes_the_command_says_so_in_one_line(write_artifact, tmp_path):
    write_artifact(tmp_path)
    corrupt(tmp_path, 2)
    (tmp_path / "1" / "encoder.npz").unlink()
    ended = ranker_serve(tmp_path)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert line.endswith(
        "2/model.onnx: differs from what was exported (SHA-256 "
        f"{line.rpartition('SHA-256 ')[2].split()[0]} in the manifest) (refused too: 1)"
    )


def test_a_version_that_is_named_is_the_only_one(write_artifact, tmp_path, body):
    for _ in range(2):
        write_artifact(tmp_path)
    with server(tmp_path, "--version", 1, watch=0.2, **KEYED) as service:
        assert post(service.url, body).json()["model_version"] == 1
        assert ask(service.url, "reload").status_code == 409
    ended = ranker_serve(tmp_path, "--version", 7)
    assert "there is no version 7 (there are: [1, 2])" in ended.stderr
    with pytest.raises(SettingsError, match="name a version or a version_file, not both"):
        Settings.from_environment(
            {"RANKER_SERVE_ARTIFACT": "a", "RANKER_SERVE_VERSION": "1", "RANKER_SERVE_VERSION_FILE": "b"}
        )


def test_a_version_file_is_followed(write_artifact, tmp_path, body):
    root, file = tmp_path / "versions", tmp_path / "version"
    for _ in range(3):
        write_artifact(root)
    file.write_text("2\n")
    with server(root, "--version-file", file, watch=0.2, **KEYED) as service:

        def serves(version):
            return lambda: status(service.url)["version"] == version

        assert post(service.url, body).json()["model_version"] == 2
        write_artifact(root)
        file.write_text("3")
        patiently(serves(3))
        file.write_text("1")
        patiently(serves(1))
        refused = ask(service.url, "rollback")
        assert refused.status_code == 409
        assert "edit that file" in refused.json()["detail"][0]["reason"]
        for content in ("newest", ""):
            file.write_text(content)
            patiently(lambda: file_refusals(service)[-1:] and repr(content) in file_refusals(service)[-1])  # noqa: B023
        file.unlink()
        patiently(lambda: "cannot be read" in file_refusals(service)[-1])
        assert sample(service.url, 'ranker_reloads_total{model="default",outcome="version_file"}') == len(
            file_refusals(service)
        )
        assert status(service.url)["version"] == 1
        file.write_text("9")
        patiently(lambda: (9, "unreadable") in causes(service))
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 1)
        file.write_text("1")
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 0)
        assert status(service.url)["version"] == 1


def begun(folder, runtime, **settings):
    settings = Settings(artifact=folder, runtime=runtime, **settings)
    return ModelRegistry(settings, SharedState(runtime), Metrics(), begins=True)


def test_a_service_that_starts_takes_what_the_version_file_names(write_artifact, tmp_path):
    root, file = tmp_path / "versions", tmp_path / "version"
    for _ in range(3):
        write_artifact(root)
    file.write_text("2")
    assert begun(root, tmp_path / "a", version_file=file).served.version("default") == 2
    file.write_text("x")
    assert begun(root, tmp_path / "b", version_file=file).served.version("default") == 3
    file.write_text("9")
    with pytest.raises(
        ValueError, match=r"versions/9: holds no manifest.json .* \(it is the one that .*version names\)"
    ):
        begun(root, tmp_path / "c", version_file=file)
    with pytest.raises(ValueError, match="no version_file can choose another"):
        begun(root / "1", tmp_path / "d", version_file=file)


def test_what_was_rolled_back_stays_so_where_the_runtime_folder_outlives_a_restart(write_artifact, tmp_path):
    root = tmp_path / "versions"
    for _ in range(2):
        write_artifact(root)
    first = begun(root, tmp_path / "runtime")
    first.change("default", 1)
    assert begun(root, tmp_path / "runtime").served.version("default") == 1
    (root / "1" / "model.onnx").write_bytes(b"")
    assert begun(root, tmp_path / "runtime").served.version("default") == 2


def test_a_model_of_several_may_have_a_version_file(write_artifact, tmp_path):
    (tmp_path / "models.yaml").write_text("models: {main: {artifact: versions, version_file: main.version}}")
    source = Catalogue.read(tmp_path / "models.yaml").models["main"]
    assert source.version_file == tmp_path / "main.version"
    with pytest.raises(SettingsError, match="a version is named for each model in the file of models"):
        Settings.from_environment({"RANKER_SERVE_MODELS": "models.yaml", "RANKER_SERVE_VERSION": "1"})
