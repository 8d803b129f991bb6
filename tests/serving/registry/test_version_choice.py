"""Which version a service starts with, and a version that is named by a setting or a file: real servers."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from ranker.artifact import ArtifactError
from serving.observability.metrics import Metrics
from serving.registry.catalog import Catalogue
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.settings import Settings, SettingsError
from tests.serving.asking import CLIENT, patiently, post
from tests.serving.conftest import server
from tests.serving.registry.test_reload import KEYED, ask, causes, corrupt, other_scores, resealed, status
from tests.serving.warm import ranker_serve


def sample(url, name):
    lines = CLIENT.get(f"{url}/metrics").text.splitlines()
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
        f"{line.rpartition('SHA-256 ')[2].split()[0]} in the manifest) (also refused: 1)"
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


def begun(folder, runtime, begins=True, **settings):
    settings = Settings(artifact=folder, runtime=runtime, engine="onnxruntime", **settings)
    return ModelRegistry(settings, SharedState(runtime), Metrics(), begins=begins)


def test_a_service_that_starts_takes_what_the_version_file_names(write_artifact, tmp_path):
    root, file = tmp_path / "versions", tmp_path / "version"
    for _ in range(3):
        write_artifact(root)
    file.write_text("2")
    assert begun(root, tmp_path / "a", version_file=file).served.version("default") == 2
    file.write_text("x")
    assert begun(root, tmp_path / "b", version_file=file).served.version("default") == 3
    file.write_text("9")
    with pytest.raises(ValueError, match=r"versions/9: has no manifest.json .* \(the version in .*version\)"):
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


def test_a_runtime_folder_of_other_versions_says_nothing_of_these(write_artifact, tmp_path):
    for name, count in (("one", 3), ("other", 2)):
        for _ in range(count):
            write_artifact(tmp_path / name)
    assert begun(tmp_path / "one", tmp_path / "runtime").served.version("default") == 3
    assert begun(tmp_path / "other", tmp_path / "runtime").served.version("default") == 2
    assert SharedState(tmp_path / "runtime").state().versions["default"].highest == 2


def test_a_later_worker_does_not_serve_other_files_under_the_same_number(write_artifact, tmp_path):
    root, runtime = tmp_path / "versions", tmp_path / "runtime"
    write_artifact(root)
    begun(root, runtime)
    assert begun(root, runtime, begins=False).served.version("default") == 1
    other_scores(root, 2)
    shutil.rmtree(root / "1")
    manifest = json.loads((root / "2" / "manifest.json").read_text())
    (root / "2" / "manifest.json").write_text(json.dumps({**manifest, "version": 1}))
    (root / "2").rename(root / "1")
    with pytest.raises(ArtifactError, match="its files differ from those of version 1 that the other workers serve"):
        begun(root, runtime, begins=False)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_version_that_may_not_be_read_is_refused_and_an_older_one_serves(write_artifact, tmp_path, monkeypatch, kind):
    root = tmp_path / "versions"
    for _ in range(2):
        write_artifact(root)
    closed = root / "2" if kind == "folder" else root / "2" / "model.onnx"

    def checked(call):  # root may read everything, so permissions alone would show nothing
        def inner(path, *arguments, **options):
            if closed == path or closed in path.parents:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *arguments, **options)

        return inner

    monkeypatch.setattr(Path, "open", checked(Path.open))
    if kind == "folder":
        for name in ("is_file", "read_bytes"):
            monkeypatch.setattr(Path, name, checked(getattr(Path, name)))
    models = begun(root, tmp_path / "runtime")
    assert models.served.version("default") == 1
    refused = SharedState(tmp_path / "runtime").state().versions["default"].refused
    assert {number: why.cause for number, why in refused.items()} == {2: "unreadable"}


def test_a_name_that_is_no_utf_8_hinders_nothing(write_artifact, tmp_path):
    root = tmp_path / "versions"
    write_artifact(root)
    Path(os.fsdecode(os.fsencode(root / "1") + b"/caf\xe9")).touch()
    assert begun(root, tmp_path / "runtime").served.version("default") == 1


def test_versions_whose_numbers_began_anew_are_told(write_artifact, tmp_path):
    for _ in range(3):
        write_artifact(tmp_path)
    with server(tmp_path, watch=0.2, **KEYED) as service:
        for number in (2, 3):
            shutil.rmtree(tmp_path / str(number))
        said = patiently(lambda: service.logged("no newer version"))
        assert said[0]["reason"].startswith("version 3 is gone, and no available version is higher than 3: [1];")
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 1)
        resealed(tmp_path, 4)
        patiently(lambda: status(service.url)["version"] == 4)
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 0)


def test_a_version_file_that_is_not_there_at_the_start_is_told_and_shown(write_artifact, tmp_path):
    write_artifact(tmp_path / "versions")
    with server(tmp_path / "versions", version_file=tmp_path / "file", watch=0.2, **KEYED) as service:
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 1)
        (tmp_path / "file").write_text("1")
        patiently(lambda: sample(service.url, 'ranker_version_refused{model="default"}') == 0)


def test_a_model_of_several_may_have_a_version_file(write_artifact, tmp_path):
    (tmp_path / "models.yaml").write_text("models: {main: {artifact: versions, version_file: main.version}}")
    source = Catalogue.read(tmp_path / "models.yaml").models["main"]
    assert source.version_file == tmp_path / "main.version"
    with pytest.raises(SettingsError, match="set version or version_file for each model in that file"):
        Settings.from_environment({"RANKER_SERVE_MODELS": "models.yaml", "RANKER_SERVE_VERSION": "1"})
