"""Versions that come and go while a service answers: real processes, real artifacts, real faults."""

import shutil
import time

import orjson
import pytest

from ranker.artifact_files import digest
from tests.serving.asking import CLIENT, load, patiently, post
from tests.serving.conftest import server

KEY = {"Authorization": "Bearer a key for administrators"}
KEYED = {"admin_keys": "a key for administrators"}


def ask(url, what, **content):
    return CLIENT.post(f"{url}/admin/{what}", json=content or None, headers=KEY, timeout=60)


def status(url):
    found = CLIENT.get(f"{url}/admin/status", headers=KEY).json()
    return {**found, **found["models"]["default"]}


def resealed(root, version, spoil=None, **changes):
    """A copy of version 1 under another number, with parts of its files changed, and spoilt before it can be seen."""
    folder = root / str(version)
    shutil.copytree(root / "1", root / f".{version}")
    manifest = orjson.loads((root / f".{version}" / "manifest.json").read_bytes())
    for name, change in changes.items():
        file = root / f".{version}" / f"{name}.json"
        file.write_bytes(orjson.dumps(change(orjson.loads(file.read_bytes()))))
        manifest["files"][f"{name}.json"] = digest(file)
    (root / f".{version}" / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": version}))
    if spoil is not None:
        spoil(root / f".{version}")
    (root / f".{version}").rename(folder)
    return folder


def wrong_scores(golden):
    golden[0]["scores"]["click"][0] += 0.01
    return golden


def truncated(root, version):
    def cut(folder):
        (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-100])

    resealed(root, version, cut)


def corrupt(root, version):
    def flip(folder):
        content = bytearray((folder / "model.onnx").read_bytes())
        content[len(content) // 2] ^= 0xFF
        (folder / "model.onnx").write_bytes(content)

    resealed(root, version, flip)


def half_there(root, version):
    (resealed(root, version) / "encoder.npz").unlink()


def broken_manifest(root, version):
    (resealed(root, version) / "manifest.json").write_text('{"format": 2, ')


def another_number(root, version):
    resealed(root, version)
    manifest = root / str(version) / "manifest.json"
    manifest.write_bytes(orjson.dumps({**orjson.loads(manifest.read_bytes()), "version": 1}))


def other_scores(root, version):
    resealed(root, version, golden=wrong_scores)


def other_schema(root, version):
    """A column of another name: what a client sends for version 1 would be refused by this one."""
    folder = resealed(root, version)
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    manifest["schema"]["candidate"]["length"]["column"] = "duration"
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


@pytest.fixture(scope="module")
def running(write_artifact, tmp_path_factory, scorer):
    root = tmp_path_factory.mktemp("reloaded")
    write_artifact(root)
    with server(root, scorer=scorer, **KEYED) as service:
        yield root, service


def causes(service):
    lines = [line for line in service.log() if line["event"] == "version refused"]
    return [(line["version"], line["cause"]) for line in lines]


@pytest.mark.parametrize(
    ("spoil", "cause", "reason"),
    [
        (corrupt, "unreadable", "model.onnx: differs from what was exported"),
        (truncated, "unreadable", "model.onnx: differs from what was exported"),
        (half_there, "unreadable", "encoder.npz: is missing"),
        (broken_manifest, "unreadable", "manifest.json: cannot be read"),
        (another_number, "unreadable", "its manifest says that it is version 1"),
        (other_scores, "scores", "golden request 0, task 'click': scores differ by 1.00e-02"),
        (other_schema, "schema", "differ from version 1 (candidates.duration)"),
    ],
)
def test_what_does_not_hold_is_refused_and_the_old_goes_on(running, body, spoil, cause, reason):
    root, service = running
    before = post(service.url, body).json()
    spoil(root, 7)
    try:
        refused = ask(service.url, "reload", version=7)
    finally:
        shutil.rmtree(root / "7")
    assert refused.status_code == 409
    assert reason in refused.json()["detail"][0]["reason"]
    assert str(root) not in refused.text
    patiently(lambda: causes(service)[-1:] == [(7, cause)])
    assert status(service.url)["version"] == 1
    assert post(service.url, body).json() == before
    assert f'ranker_reloads_total{{model="default",outcome="{cause}"}}' in CLIENT.get(f"{service.url}/metrics").text


def test_an_artifact_has_no_experiment_to_read_anew(running):
    refused = ask(running[1].url, "experiment/reload")
    assert refused.status_code == 409
    assert "start it with a file of models" in refused.json()["detail"][0]["reason"]
    listed = CLIENT.get(f"{running[1].url}/models").json()
    assert (list(listed["models"]), listed["experiment"]) == (["default"], None)


def test_reload_and_rollback(write_artifact, tmp_path, body):
    write_artifact(tmp_path)
    with server(tmp_path, **KEYED) as service:
        first = post(service.url, body).json()
        assert ask(service.url, "rollback").json()["detail"][0]["reason"] == "no version was served before this one"
        write_artifact(tmp_path, fusion={"parameters": {"share": {"click": 3.0}}})
        assert post(service.url, body).json() == first
        assert ask(service.url, "reload").json()["version"] == 2
        second = post(service.url, body).json()
        assert second["model_version"] == 2
        assert second["fusion"]["parameters"]["share"]["click"] == 3
        assert CLIENT.get(f"{service.url}/model").json()["version"] == 2
        assert ask(service.url, "reload").json()["version"] == 2  # what is served already is left alone
        assert ask(service.url, "rollback").json()["version"] == 1
        assert post(service.url, body).json() == first
        assert ask(service.url, "rollback").status_code == 409
        assert ask(service.url, "reload", version=9).status_code == 404
        assert ask(service.url, "reload", version="../1").status_code == 422
        assert ask(service.url, "reload", versoin=1).status_code == 422


def test_a_schema_change_is_taken_where_it_is_allowed(write_artifact, tmp_path, body):
    write_artifact(tmp_path)
    folder = resealed(tmp_path, 2)
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    manifest["schema"]["candidate_id"] = None
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    with server(tmp_path / "1", **KEYED) as pinned:
        assert "fixed to one version: by its folder" in ask(pinned.url, "reload").json()["detail"][0]["reason"]
    shutil.move(folder, tmp_path / "away")
    with server(tmp_path, **KEYED) as service:
        shutil.move(tmp_path / "away", folder)
        assert "(ids)" in ask(service.url, "reload").json()["detail"][0]["reason"]
        assert ask(service.url, "reload", allow_schema_change=True).json()["version"] == 2
        assert sorted(post(service.url, body).json()["ids"]) == list(range(20))


def test_the_watch_takes_new_versions_under_load_and_mixes_none(write_artifact, tmp_path, body):
    write_artifact(tmp_path)
    with server(tmp_path, watch=0.2, **KEYED) as service:
        with load(service.url, body, clients=3) as tally:
            for version in (2, 3, 4):
                write_artifact(tmp_path, fusion={"parameters": {"share": {"click": float(version)}}})
                patiently(lambda: status(service.url)["version"] == version)  # noqa: B023
                corrupt(tmp_path, version + 10)
                patiently(lambda: (version + 10, "unreadable") in causes(service))  # noqa: B023
                shutil.rmtree(tmp_path / str(version + 10))
            assert ask(service.url, "rollback").json()["version"] == 3
            time.sleep(0.6)
            assert status(service.url)["version"] == 3  # the watch does not bring back what was rolled back
        assert tally.statuses.keys() == {200}
        assert not tally.errors
        assert tally.versions.keys() == {1, 2, 3, 4}
        assert len(tally.answers) <= 4  # one ranking a version


def test_a_refused_version_is_tried_again_once_its_files_change(write_artifact, tmp_path):
    write_artifact(tmp_path)
    with server(tmp_path, watch=0.2, **KEYED) as service:
        truncated(tmp_path, 2)
        patiently(lambda: causes(service))
        time.sleep(0.6)
        assert causes(service) == [(2, "unreadable")]
        shutil.copy(tmp_path / "1" / "model.onnx", tmp_path / "2" / "model.onnx")
        patiently(lambda: status(service.url)["version"] == 2)


def test_all_workers_rank_alike_and_follow(write_artifact, tmp_path, body):
    write_artifact(tmp_path)
    with server(tmp_path, "--workers", 2, **KEYED) as service:
        patiently(lambda: len(status(service.url)["workers"]) == 2)
        answers = [post(service.url, body) for _ in range(6)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        write_artifact(tmp_path)
        assert set(ask(service.url, "reload").json()["workers"].values()) == {2}
        assert {post(service.url, body).json()["model_version"] for _ in range(12)} == {2}
        assert set(ask(service.url, "rollback").json()["workers"].values()) == {1}
        assert {post(service.url, body).json()["model_version"] for _ in range(12)} == {1}

        def ranked():
            lines = CLIENT.get(f"{service.url}/metrics").text.splitlines()
            counts = [line for line in lines if line.startswith("ranker_requests_total{") and 'outcome="ok"' in line]
            return sum(float(line.split()[-1]) for line in counts)

        patiently(lambda: ranked() == 30)  # of both workers, whichever is asked
        assert status(service.url)["available"] == [1, 2]
