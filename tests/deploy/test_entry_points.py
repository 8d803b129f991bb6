"""What the manifests run, run: with their arguments and environment, and folders of this machine for their volumes."""

import shutil
import tempfile
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from pyarrow import fs

from ranker.artifact_store import publish, versions
from ranker.remote_files import RemoteFolder
from tests.deploy.container import config_of, container_of
from tests.deploy.kustomize import build, containers, pods
from tests.object_store import object_store
from tests.serving.asking import CLIENT
from tests.serving.server_process import free_port, ready, server_process
from tests.serving.warm import ranker_serve, warm
from tests.training.command import ranker_train
from tests.training.days import CONFIG, rows
from training.commands.fit import fit
from training.config.experiment import load
from training.distribution.cluster import cluster_of
from training.simulator import SimulatorConfig, simulate

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
BUILT = {name: build(FOLDER / name) for name in ("service-from-store", "training", "parameter-servers", "nightly")}
KEY = "a-key-for-the-tests"


@pytest.fixture(scope="module")
def store():
    with object_store("kubernetes") as options:
        yield options


@pytest.fixture(scope="module")
def models(store, artifact, tmp_path_factory):
    """Version 1, and version 2 with a damaged file."""
    url, second = f"s3://kubernetes/models{store}", tmp_path_factory.mktemp("second")
    publish(artifact.folder, url)
    shutil.copytree(artifact.folder, second, dirs_exist_ok=True)
    manifest = orjson.loads((second / "manifest.json").read_bytes())
    (second / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 2}))
    publish(second, url)
    system, _ = fs.FileSystem.from_uri(f"s3://kubernetes{store}")
    with system.open_output_stream("kubernetes/models/2/model.onnx") as file:
        file.write(b"damaged")
    return url


def named(name, kind):
    return next(each for each in BUILT[name] if each["kind"] == kind)


class TestServiceFromStore:
    pod = named("service-from-store", "Deployment")["spec"]["template"]["spec"]

    def fetched(self, models, folder, version):
        """The ended init container; ``version`` is what the settings pin."""
        init, changes = self.pod["initContainers"][0], {"RANKER_MODELS": models}
        container = container_of(init, BUILT["service-from-store"], folder, changes)
        container.environment["RANKER_SERVE_VERSION"] = version
        return ranker_serve(*container.args, variables=container.environment)

    @pytest.mark.parametrize(
        ("version", "told"),
        [
            ("", "models/2/model.onnx: does not have the checksum in the manifest"),
            ("7", "models: has no version 7; versions that are there: 1, 2"),
        ],
    )
    def test_a_pod_without_a_sound_version_does_not_start(self, models, tmp_path, version, told):
        ended = self.fetched(models, tmp_path, version)
        assert ended.returncode == 1
        assert ended.stderr.startswith("error: s3://kubernetes/")
        assert told in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert [each.name for each in (tmp_path / "artifacts").iterdir() if each.name.isdecimal()] == []

    def test_a_pinned_version_is_fetched_once_and_served(self, models, artifact, tmp_path):
        for _ in range(2):  # the second time as after a node's restart
            ended = self.fetched(models, tmp_path, "1")
            assert ended.returncode == 0, ended.stderr
            assert ended.stdout == f"fetched: {tmp_path / 'artifacts' / '1'}\n"
        (tmp_path / "keys").mkdir()
        for name in ("rank", "admin"):
            (tmp_path / "keys" / name).write_text(f"{KEY}-{name}\n")
        container = container_of(self.pod["containers"][0], BUILT["service-from-store"], tmp_path, {})
        port = free_port()
        args = [word.replace("8000", str(port)) for word in container.args]
        prefix = "RANKER_SERVE_"
        settings = {k.removeprefix(prefix).lower(): v for k, v in container.environment.items() if k.startswith(prefix)}
        assert settings["watch"] == "0"
        settings |= {"version": "1", "drain": "0"}  # the pin that the init container has; a test need not drain
        url = f"http://127.0.0.1:{port}"
        with (
            tempfile.TemporaryFile() as log,
            server_process(*args, settings=settings, is_up=lambda: ready(url), stderr=log, start=warm().start),
        ):
            request = {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates}
            answer = CLIENT.post(f"{url}/rank", json=request, headers={"Authorization": f"Bearer {KEY}-rank"})
            assert CLIENT.post(f"{url}/rank", json=request).status_code == 401
        assert answer.status_code == 200, answer.text
        assert answer.json()["model_version"] == 1


class TestTraining:
    @pytest.mark.parametrize(("name", "servers"), [("training", 0), ("parameter-servers", 2)])
    def test_every_pod_finds_its_place(self, name, servers, tmp_path, monkeypatch):
        ran = []
        monkeypatch.setattr("os.execvp", lambda program, words: ran.append((program, words)))
        monkeypatch.setenv("TF_CONFIG", "")
        addresses, service = {}, named(name, "Service")["metadata"]["name"]
        for job in (each for each in BUILT[name] if each["kind"] == "Job"):
            (found,) = containers(job)
            for index in range(job["spec"]["completions"]):
                container = container_of(found, BUILT[name], tmp_path, {}, index)
                ended = ranker_train(*container.args, **container.environment)
                assert ended.returncode == 0, ended.stderr
                place = cluster_of(None, "multi_worker")
                assert len(place.workers) == 4 + bool(servers)
                assert len(place.servers) == servers
                hostname = f"{job['metadata']['name']}-{index}"
                assert place.address == f"{hostname}.{service}:{found['ports'][0]['containerPort']}"
                addresses[place.address] = dict(place.jobs)
                program, words = ran.pop()
                assert program == "ranker-train"
                assert words[1] == "fit"
                assert words[2].endswith("config.yaml")
                assert words[3].startswith(f"--output={tmp_path / 'runs'}/")
        (cluster,) = {str(jobs) for jobs in addresses.values()}  # all have the same
        assert len(addresses) == len({host for host in addresses if host in cluster}) == 4 + bool(servers) + servers


class TestNightly:
    cron = named("nightly", "CronJob")
    pod = next(pods(cron))

    def container(self, folder, store, **config):
        (found,) = containers(self.cron)
        objects, changes = (
            BUILT["nightly"],
            {"RANKER_LOG": str(folder / "log"), "RANKER_MODELS": f"s3://kubernetes/nights{store}"},
        )
        container = container_of(found, objects, folder, changes)
        content = {**CONFIG, "training": {"epochs": 1, "batch_size": 64}, **config}
        (name,) = config_of(self.pod, objects, "config")
        (container.folders["/etc/ranker/config"] / name).write_text(yaml.safe_dump(content))
        return container

    def add(self, folder, day):
        log = folder / "log" / f"date=2026-01-{day:02}"
        log.mkdir(parents=True)
        rows(day, "bcde", day).drop(columns="date").to_parquet(log / "rows.parquet")

    def test_a_night_publishes_once_and_never_what_is_refused(self, store, tmp_path):
        first = fit(
            {**CONFIG, "training": {"epochs": 1, "batch_size": 64}},
            rows(1, "abcd", 1),
            output=tmp_path / "first",
            progress=False,
        )
        publish(first.export().folder, f"s3://kubernetes/nights{store}")
        nights = RemoteFolder.at(f"s3://kubernetes/nights{store}")
        self.add(tmp_path, 2)
        lenient = {"click.auc": {"least": -1.0}, "latency_ms": {"most": 100.0}}
        container = self.container(tmp_path, store, promotion=lenient)
        ended = ranker_train(*container.args, **container.environment)
        assert ended.returncode == 0, ended.stderr
        assert "published: s3://kubernetes/nights/2" in ended.stdout
        assert versions(nights) == [1, 2]

        again = ranker_train(*container.args, **container.environment)
        assert (again.returncode, versions(nights)) == (0, [1, 2]), again.stderr
        assert "nothing to do" in again.stdout

        self.add(tmp_path, 3)
        container = self.container(tmp_path, store, promotion={"click.auc": {"least": 0.9}})
        refused = ranker_train(*container.args, **container.environment)
        rule = self.cron["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]
        assert refused.returncode in rule["onExitCodes"]["values"], refused.stderr  # the Job fails at once
        assert "not promoted: click.auc" in refused.stderr
        assert versions(nights) == [1, 2]


@pytest.mark.parametrize("name", ["training", "parameter-servers", "nightly"])
def test_the_configs_fit_a_simulated_log(name, tmp_path):
    simulate(SimulatorConfig(rows=50, seed=0), tmp_path)
    columns = set(pq.read_schema(next(tmp_path.rglob("*.parquet"))).names)
    experiment = load(FOLDER / name / "config.yaml")
    schema = experiment.log_schema
    wanted = {*schema.context, *schema.candidate, *schema.tasks, experiment.data.split.column, experiment.day_column}
    assert wanted <= columns
