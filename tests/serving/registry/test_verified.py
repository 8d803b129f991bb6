"""Large files are verified once per service; a worker that starts later notices a change."""

import os

import pytest

from ranker import artifact_files
from ranker.artifact import ArtifactError
from serving.observability.metrics import Metrics
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.settings import Settings


def test_workers_trust_what_the_service_verified_until_it_changes(write_artifact, tmp_path, monkeypatch):
    monkeypatch.setattr(artifact_files, "LARGE", 1000)
    monkeypatch.setenv("PROMETHEUS_DISABLE_CREATED_SERIES", "true")
    root, runtime = tmp_path / "models", tmp_path / "runtime"
    artifact = write_artifact(root)
    write_artifact(root)
    sizes = {name: (artifact.folder / name).stat().st_size for name in artifact.manifest.files}
    large = {name for name, size in sizes.items() if size >= 1000}
    assert {"model.onnx", "encoder.npz"} <= large < sizes.keys()
    read, hashed = [], artifact_files._Part.digest
    monkeypatch.setattr(artifact_files._Part, "digest", lambda part: read.append(part.file.name) or hashed(part))
    settings = Settings(artifact=root, runtime=runtime, engine="onnxruntime")

    def registry(begins):
        read.clear()
        return ModelRegistry(settings, SharedState(runtime), Metrics(), begins=begins)

    for _ in range(2):  # a service that starts in the folder of an earlier one reads everything again
        registry(begins=True)
        assert large <= set(read)
        worker = registry(begins=False)
        assert set(read) == sizes.keys() - large
    read.clear()
    worker.change("default", 1)
    assert large <= set(read)
    registry(begins=False)  # another worker, after the first has verified the version
    assert set(read) == sizes.keys() - large
    model = root / "1" / "model.onnx"
    before, content = model.stat(), bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same size and time
    with pytest.raises(ArtifactError, match=r"model\.onnx: differs from what was exported"):
        registry(begins=False)
