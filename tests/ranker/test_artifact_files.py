"""Checksums of chunks, and what one process of a service has verified for the others."""

import os
import shutil

import numpy as np
import orjson
import pytest

from ranker import artifact_files
from ranker.artifact import ArtifactError, load, with_fusions
from ranker.artifact_files import FileError, Verified, chunk_digests, digest, verify
from ranker.encoding import to_state


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(artifact_files, "CHUNK", 1000)
    monkeypatch.setattr(artifact_files, "LARGE", 500)


def test_each_chunk_of_a_large_file_is_verified(tmp_path, small_chunks):
    file = tmp_path / "rows.npy"
    content = bytearray(os.urandom(3500))
    file.write_bytes(content)
    assert chunk_digests(file)[3] == digest(_written(tmp_path / "end", content[3000:]))
    assert chunk_digests(tmp_path / "end") == ()
    files, chunks = {"rows.npy": digest(file)}, {"rows.npy": chunk_digests(file)}
    verify(tmp_path, files, chunks)
    verify(tmp_path, files, {})
    for changed in (content[:-1], content + b"x", content[:-1] + b"\0", b"\0" + content[1:]):
        file.write_bytes(changed)
        with pytest.raises(FileError, match=r"rows\.npy: differs from what was exported \(SHA-256 "):
            verify(tmp_path, files, chunks)
    file.unlink()
    with pytest.raises(FileError, match=r"rows\.npy: is missing; the manifest lists it"):
        verify(tmp_path, files, chunks)


def _written(file, content):
    file.write_bytes(content)
    return file


def test_a_file_is_read_once_a_service_unless_it_changes(tmp_path, small_chunks, monkeypatch):
    large, small = _written(tmp_path / "large", b"l" * 5000), _written(tmp_path / "small", b"s")
    files, chunks = {"large": digest(large), "small": digest(small)}, {"large": chunk_digests(large)}
    read = []
    hashed = artifact_files._Part.digest
    monkeypatch.setattr(artifact_files._Part, "digest", lambda part: read.append(part.file.name) or hashed(part))
    record = tmp_path / "run" / "verified.json"
    verify(tmp_path, files, chunks, Verified(record))
    assert sorted(read) == ["large"] * 5 + ["small"]
    read.clear()
    verify(tmp_path, files, chunks, Verified(record))  # another process
    assert read == ["small"]
    with pytest.raises(FileError, match="large: differs"):
        verify(tmp_path, {**files, "large": digest(small)}, {}, Verified(record))  # other content is expected
    before = large.stat()
    large.write_bytes(b"x" * 5000)
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and time as they were
    with pytest.raises(FileError, match="large: differs"):
        verify(tmp_path, files, chunks, Verified(record))
    large.write_bytes(b"l" * 5000)
    Verified(record).forget()
    read.clear()
    verify(tmp_path, files, chunks, Verified(record))
    assert read.count("large") == 5
    record.write_text("[broken")
    verify(tmp_path, files, chunks, Verified(record))
    assert orjson.loads(record.read_bytes()).keys() == {str(large)}


def test_an_artifact_with_mapped_files_says_so_by_its_format(artifact, tmp_path):
    assert artifact.manifest.format == 2
    assert b'"chunks"' not in (artifact.folder / "manifest.json").read_bytes()
    shutil.copytree(artifact.folder, tmp_path / "1")
    manifest = tmp_path / "1" / "manifest.json"
    content = orjson.loads(manifest.read_bytes())
    manifest.write_bytes(orjson.dumps({**content, "format": 3}))
    assert load(tmp_path).manifest.format == 3
    manifest.write_bytes(orjson.dumps({**content, "format": 4}))
    with pytest.raises(ArtifactError, match="format 4; this version of ranker reads formats 2 and 3"):
        load(tmp_path)


def test_files_that_the_manifest_does_not_list_are_not_used(artifact, tmp_path):
    folder = tmp_path / "versions" / "1"
    shutil.copytree(artifact.folder, folder)
    (folder / "encoder").mkdir()
    np.save(folder / "encoder" / "item.ids.npy", np.arange(3))
    (folder / "student.tables").mkdir()
    loaded = load(folder)
    assert to_state(loaded.encoder)[1].keys() == to_state(artifact.encoder)[1].keys()
    again = with_fusions(loaded, loaded.fusions, {}, tmp_path / "versions")
    assert again.manifest.files.keys() == artifact.manifest.files.keys()
    for name in ("model", "student"):
        tables = folder / f"{name}.tables"
        tables.mkdir(exist_ok=True)
        (tables / "tables.json").write_text('{"tables": {}, "inputs": {}}')
        with pytest.raises(ArtifactError, match=rf"{name}\.tables/tables\.json: is not listed by the manifest"):
            load(folder)
        shutil.rmtree(tables)
