"""Artifacts in a real S3-compatible store: published, copied, verified."""

import shutil
from pathlib import Path

import orjson
import pytest
from pyarrow import fs

from ranker.artifact import ArtifactError, load
from ranker.artifact_files import digest
from ranker.artifact_store import digest_of, fetch, local_copy, publish, versions
from ranker.remote_files import RemoteError, RemoteFolder
from tests.object_store import object_store


@pytest.fixture(scope="module")
def store():
    with object_store("models") as options:
        yield options


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ranker" / "artifacts"


@pytest.fixture(scope="module")
def published(store, artifact):
    url = f"s3://models/shop{store}"
    assert publish(artifact.folder, url) == "s3://models/shop/1"
    return url


def overwritten(store, name, content):
    system, _ = fs.FileSystem.from_uri(f"s3://models{store}")
    with system.open_output_stream(f"models/{name}") as file:
        file.write(content)


def test_a_published_version_is_loaded_by_its_url(published, artifact):
    for url in (published, published.replace("shop", "shop/1")):
        found = load(Path(url))
        assert found.manifest == artifact.manifest
        assert {n: (found.folder / n).read_bytes() for n in artifact.manifest.files} == {
            n: (artifact.folder / n).read_bytes() for n in artifact.manifest.files
        }


def test_a_copy_is_made_once(published, cache):
    first = local_copy(published)
    before = {file: file.stat().st_mtime_ns for file in first.rglob("*")}
    assert local_copy(published) == first
    assert {file: file.stat().st_mtime_ns for file in first.rglob("*")} == before
    assert [folder.name for folder in cache.iterdir()] == [first.name]


def test_a_path_is_no_store(artifact, tmp_path):
    with pytest.raises(RemoteError, match=r"models: is not a URL; stores are at s3://, gs://"):
        publish(artifact.folder, str(tmp_path / "models"))
    assert not list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_written_is_named(published, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(RemoteError, match=r"shop/1: its copy cannot be written: .*below.*; set XDG_CACHE_HOME"):
        local_copy(published)


def test_the_highest_complete_version_is_taken(store, artifact, tmp_path):
    url = f"s3://models/many{store}"
    for number in (2, 10):
        folder = tmp_path / str(number)
        shutil.copytree(artifact.folder, folder)
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
        (folder / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": number}))
        publish(folder, url)
    overwritten(store, "many/11/model.onnx", b"half of it")
    assert versions(RemoteFolder.at(url)) == [2, 10]
    assert load(Path(url)).manifest.version == 10


def test_the_same_version_is_published_again_but_no_other_one_of_its_number(published, artifact, tmp_path):
    assert publish(artifact.folder, published) == "s3://models/shop/1"
    other = tmp_path / "other"
    shutil.copytree(artifact.folder, other)
    manifest = orjson.loads((other / "manifest.json").read_bytes())
    (other / "manifest.json").write_bytes(orjson.dumps({**manifest, "gates": {"changed": True}}))
    with pytest.raises(RemoteError, match="s3://models/shop/1: is another version 1"):
        publish(other, published)


@pytest.fixture
def rivals(artifact, tmp_path):
    """Two versions of the same number."""
    for name in ("one", "two"):
        shutil.copytree(artifact.folder, tmp_path / name)
        manifest = orjson.loads((artifact.folder / "manifest.json").read_bytes())
        (tmp_path / name / "extra.bin").write_text(name)
        manifest["files"]["extra.bin"] = digest(tmp_path / name / "extra.bin")
        (tmp_path / name / "manifest.json").write_bytes(orjson.dumps(manifest))
    return tmp_path / "one", tmp_path / "two"


@pytest.fixture
def before_writing(monkeypatch):
    """Calls a function once, before a file of this name is written."""
    write = RemoteFolder.write

    def set_trap(trap, act):
        def trapped(folder, name, source):
            if name == trap:
                monkeypatch.setattr(RemoteFolder, "write", write)
                act()
            write(folder, name, source)

        monkeypatch.setattr(RemoteFolder, "write", trapped)

    return set_trap


@pytest.mark.parametrize("moment", ["model.onnx", "manifest.json"])
def test_of_two_versions_of_a_number_one_is_published_whole(store, rivals, tmp_path, before_writing, moment):
    (one, two), url = rivals, f"s3://models/rivals-{moment}{store}"
    refused = []

    def other():
        with pytest.raises(RemoteError, match=r"another version 1 is being published there; .* removed s3://") as error:
            publish(two, url)
        refused.append(error)

    before_writing(moment, other)
    publish(one, url)
    assert refused
    assert not [name for name in (RemoteFolder.at(url) / "1").files() if name.startswith(".")]
    assert not [name for name in (RemoteFolder.at(url) / "1").files() if name.startswith(".")]
    assert (fetch(url, tmp_path / "copy") / "extra.bin").read_text() == "one"
    with pytest.raises(RemoteError, match="is another version 1; publish to another folder"):
        publish(two, url)


def test_a_publishing_that_begins_as_another_ends_is_refused(store, rivals, tmp_path, before_writing):
    (one, two), url = rivals, f"s3://models/late{store}"
    claim = f".publishing-{digest_of((two / 'manifest.json').read_bytes())}"
    before_writing(claim, lambda: publish(one, url))
    with pytest.raises(RemoteError, match="is another version 1; publish to another folder"):
        publish(two, url)
    assert (fetch(url, tmp_path / "copy") / "extra.bin").read_text() == "one"


def test_a_killed_publishing_is_taken_over_after_hours(store, rivals, tmp_path, before_writing, monkeypatch):
    (one, two), url = rivals, f"s3://models/killed{store}"

    def takes_over():
        monkeypatch.setattr("ranker.artifact_store.ABANDONED", 0)
        publish(two, url)

    before_writing("extra.bin", takes_over)
    with pytest.raises(RemoteError, match="is another version 1; publish to another folder"):
        publish(one, url)
    overwritten(store, "killed/1/extra.bin", b"two")
    assert (fetch(url, tmp_path / "copy") / "extra.bin").read_text() == "two"


def test_a_damaged_file_leaves_no_copy(store, artifact, cache):
    url = f"s3://models/damaged{store}"
    publish(artifact.folder, url)
    overwritten(store, "damaged/1/model.onnx", b"damaged")
    with pytest.raises(ArtifactError, match=r"s3://models/damaged/1/model.onnx: does not have the checksum"):
        load(Path(url))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b"no JSON", "manifest.json: is not a manifest"),
        (b'{"version": 1}', "manifest.json: is not a manifest"),
        (
            b'{"version": 1, "files": ["model.onnx"]}',
            r'manifest.json: is not a manifest: files must be an object, got \["m',
        ),
        (
            b'{"version": 1, "files": {}, "chunks": 3}',
            "manifest.json: is not a manifest: chunks must be an object, got 3",
        ),
        (b'{"version": 1, "files": {"../x": ""}}', r"its manifest lists '\.\./x'"),
        (b'{"version": 1, "files": {"model.onnx": ""}}', "model.onnx: "),
    ],
)
def test_a_wrong_manifest_is_named(store, manifest, told):
    overwritten(store, "wrong/1/manifest.json", manifest)
    with pytest.raises(ArtifactError, match=f"s3://models/wrong/1.*{told}"):
        load(Path(f"s3://models/wrong{store}"))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("url", ["s3://models/none", "s3://nobody/none"])
def test_a_url_without_a_version_is_named(store, url):
    with pytest.raises(ArtifactError, match=f"{url}: has no manifest.json and no numbered version"):
        load(Path(url + store))


def content(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def numbered(store, artifact, tmp_path_factory):
    """Versions 1 and 2 in a folder of the store; the second has a file of the state."""
    url, second = f"s3://models/numbered{store}", tmp_path_factory.mktemp("second") / "2"
    publish(artifact.folder, url)
    shutil.copytree(artifact.folder, second)
    (second / "state").mkdir()
    (second / "state" / "ids.npz").write_bytes(b"for training alone")
    manifest = orjson.loads((second / "manifest.json").read_bytes())
    files = {**manifest["files"], "state/ids.npz": digest(second / "state" / "ids.npz")}
    (second / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 2, "files": files}))
    publish(second, url)
    return url


def test_a_version_is_fetched_under_its_number_without_its_state(numbered, artifact, tmp_path):
    assert fetch(numbered, tmp_path) == tmp_path / "2"
    assert fetch(numbered, tmp_path, 1) == tmp_path / "1"
    assert fetch(numbered.replace("numbered", "numbered/1"), tmp_path) == tmp_path / "1"
    assert content(tmp_path / "1") == content(artifact.folder)
    assert content(tmp_path / "2").keys() == content(artifact.folder).keys()
    assert load(tmp_path).manifest.version == 2
    assert [folder.name for folder in tmp_path.iterdir() if folder.is_dir()] in (["1", "2"], ["2", "1"])


def test_what_was_fetched_is_not_fetched_again_unless_it_is_damaged(numbered, tmp_path):
    folder = fetch(numbered, tmp_path, 1)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    fetch(numbered, tmp_path, 1)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    right = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(b"damaged")
    fetch(numbered, tmp_path, 1)
    assert (folder / "model.onnx").read_bytes() == right


def test_an_interrupted_fetch_goes_on_with_what_is_whole(numbered, tmp_path, monkeypatch):
    whole, asked = RemoteFolder.download, []

    def interrupted(folder, name, target):
        asked.append(name)
        if len(asked) == 3:
            raise KeyboardInterrupt
        whole(folder, name, target)

    monkeypatch.setattr(RemoteFolder, "download", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(numbered, tmp_path, 1)
    assert not (tmp_path / "1").exists()
    done = set(asked[:2])
    fetch(numbered, tmp_path, 1)
    assert not done & set(asked[3:])
    load(tmp_path / "1")


def test_a_missing_version_is_named_with_those_that_are_there(numbered, tmp_path):
    with pytest.raises(RemoteError, match=r"numbered: has no version 7; versions that are there: 1, 2$"):
        fetch(numbered, tmp_path, 7)
    assert not list(tmp_path.iterdir())


def test_a_fetch_with_a_wrong_or_missing_file_leaves_no_version(store, artifact, tmp_path):
    url = f"s3://models/broken{store}"
    publish(artifact.folder, url)
    overwritten(store, "broken/1/fusion.json", b"{}")
    with pytest.raises(RemoteError, match=r"broken/1/fusion.json: does not have the checksum in the manifest"):
        fetch(url, tmp_path)
    fs.FileSystem.from_uri(f"s3://models{store}")[0].delete_file("models/broken/1/fusion.json")
    with pytest.raises(RemoteError, match=r"broken/1/fusion.json: "):
        fetch(url, tmp_path)
    assert [folder.name for folder in tmp_path.iterdir() if folder.name.isdecimal()] == []


def test_another_artifact_of_the_same_number_is_not_replaced(numbered, artifact, tmp_path):
    shutil.copytree(artifact.folder, tmp_path / "2")
    with pytest.raises(RemoteError, match=r"2: is another artifact than s3://models/numbered/2; remove it"):
        fetch(numbered, tmp_path, 2)
    assert content(tmp_path / "2") == content(artifact.folder)


def test_a_folder_that_cannot_be_written_is_named(numbered, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RemoteError, match=r"file/below/2: cannot be written: "):
        fetch(numbered, tmp_path / "file" / "below")


def test_a_folder_is_a_version_by_the_number_as_it_is_written(numbered, store, artifact, tmp_path):
    for name in ("007", "٣", "0", "9x"):
        overwritten(store, f"numbered/{name}/manifest.json", (artifact.folder / "manifest.json").read_bytes())
    assert versions(RemoteFolder.at(numbered)) == [1, 2]
    assert fetch(numbered, tmp_path) == tmp_path / "2"


def test_a_version_under_another_number_is_not_fetched_by_that(store, artifact, tmp_path):
    overwritten(store, "renamed/3/manifest.json", (artifact.folder / "manifest.json").read_bytes())
    with pytest.raises(RemoteError, match=r"renamed/3/manifest.json: is of version 1; a version keeps the number"):
        fetch(f"s3://models/renamed{store}", tmp_path, 3)
    assert not list(tmp_path.iterdir())


def test_a_manifest_without_a_number_is_no_version_to_fetch(store, tmp_path):
    overwritten(store, "odd/1/manifest.json", b'{"version": "1", "files": {}}')
    with pytest.raises(RemoteError, match=r"odd/1/manifest.json: is not a manifest: version must be a number above 0"):
        fetch(f"s3://models/odd{store}", tmp_path)
