"""Every kustomization builds to objects that fit Kubernetes' schemas, and that find each other."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import typer

from ranker.lost_process import LOST
from serving.cli import OTHERS
from serving.cli import app as ranker_serve
from tests.deploy.kustomize import build, config_map_names, containers, pods
from training.cli import app as ranker_train
from training.config.experiment import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/kustomization.yaml"))
BUILT = {name: build(FOLDER / name) for name in NAMES}
NOT_KUBERNETES = {"RayJob"}
"""Kinds whose schemas are not in kubernetes_validate."""
USERS = {
    ("Secret", "ranker-keys"),
    ("Secret", "ranker-store"),
    ("ConfigMap", "ranker-version"),
}
"""Objects that nobody makes but the user, as deploy/README.md says."""
TAG = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
EACH = pytest.mark.parametrize("name", NAMES)


def found(name, kind, called=None):
    """The only object of a kind, or of that kind and name."""
    (one,) = [each for each in BUILT[name] if each["kind"] == kind and called in (None, each["metadata"]["name"])]
    return one


def test_there_is_a_folder_for_each_job():
    assert NAMES == [
        "nightly",
        "parameter-servers",
        "run-volume",
        "scoring",
        "service",
        "service-from-store",
        "training",
    ]


@pytest.mark.parametrize("version", ["1.31.0", kubernetes_validate.latest_version()])
@EACH
def test_objects_fit_the_schemas(name, version):
    for each in BUILT[name]:
        if each["kind"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(each, version, strict=True)
        for pod in pods(each):
            metadata = {"name": "of-a-template", **pod["metadata"]}
            kubernetes_validate.validate(
                {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}, version, strict=True
            )


@EACH
def test_every_file_is_used(name):
    asked = (FOLDER / name / "kustomization.yaml").read_text()
    others = {"kustomization.yaml", "secret.example.yaml"}
    files = {file.name for file in (FOLDER / name).iterdir()} - others
    assert [file for file in files if file not in asked] == []


@EACH
def test_what_is_named_is_there_or_the_users(name):
    there = {(each["kind"], each["metadata"]["name"]) for each in [*BUILT[name], *BUILT["run-volume"]]}
    named = {("ConfigMap", place[key]) for each in BUILT[name] for place, key in config_map_names(each)}
    for each in BUILT[name]:
        assert each["metadata"]["namespace"] == "ranker"
        for container in containers(each):
            sources = container.get("envFrom", [])
            named |= {("Secret", source["secretRef"]["name"]) for source in sources if "secretRef" in source}
        for pod in pods(each):
            for volume in pod["spec"].get("volumes", []):
                named |= {("Secret", volume["secret"]["secretName"])} if "secret" in volume else set()
                claim = volume.get("persistentVolumeClaim", {}).get("claimName")
                named |= {("PersistentVolumeClaim", claim)} if claim else set()
            if "subdomain" in pod["spec"]:
                named.add(("Service", pod["spec"]["subdomain"]))
    assert named - there <= USERS
    page = (ROOT / "deploy" / "README.md").read_text()
    assert [called for _, called in named - there if called not in page] == []


@EACH
def test_selectors_choose_pods_that_there_are(name):
    labels = [pod["metadata"]["labels"] for each in BUILT[name] for pod in pods(each)]
    selectors = []
    for each in BUILT[name]:
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            selectors.append(spec["selector"])
        elif each["kind"] in ("Deployment", "PodDisruptionBudget"):
            selectors.append(spec["selector"]["matchLabels"])
        elif each["kind"] == "NetworkPolicy":
            selectors.append(spec["podSelector"]["matchLabels"])
    assert [each for each in selectors if not any(each.items() <= pod.items() for pod in labels)] == []


@EACH
def test_pods_have_no_rights_and_a_bound_on_what_they_take(name):
    for each in BUILT[name]:
        for pod in pods(each):
            spec = pod["spec"]
            assert spec["securityContext"]["runAsNonRoot"]
            assert spec["securityContext"]["runAsUser"] == 10001
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert not spec["automountServiceAccountToken"]
            assert not spec["enableServiceLinks"]
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            assert all("sizeLimit" in volume["emptyDir"] for volume in volumes.values() if "emptyDir" in volume)
            mounted = set()
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                context = container["securityContext"]
                assert context["readOnlyRootFilesystem"]
                assert not context["allowPrivilegeEscalation"]
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"] == container["resources"]["requests"]
                assert container["image"] in (f"ranker:{TAG}", f"ranker-train:{TAG}")
                mounted |= {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == volumes.keys()


@EACH
def test_jobs_are_not_process_1_which_does_not_hear_sigterm(name):
    for each in BUILT[name]:
        for pod in pods(each) if each["kind"] in ("Job", "CronJob") else ():
            assert pod["spec"]["shareProcessNamespace"]


def arguments_of(container):
    """The arguments of a container with what its ConfigMaps would put in."""
    return [re.sub(r"\$\((RANKER_\w+)\)", r"s3://bucket/\1", word) for word in container["args"]]


@EACH
def test_commands_take_the_arguments(name):
    for each in BUILT[name]:
        if each["kind"] == "RayJob":
            continue
        for container in containers(each):
            words, app = arguments_of(container), ranker_train
            if container["image"].startswith("ranker:"):
                app = OTHERS.get(words[0], ranker_serve)
                words = words[1:] if app is not ranker_serve else words
            check(app, words)
            if "--" in words:
                program, *rest = words[words.index("--") + 1 :]
                assert program == "ranker-train"
                check(ranker_train, rest)


def check(app, words):
    """Raise ``click.UsageError`` for what the command would not take."""
    command, name = typer.main.get_command(app), "program"
    if hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    command.make_context(name, list(words))


def test_a_wrong_argument_is_seen():
    with pytest.raises(Exception, match="--modles"):
        check(ranker_train, ["nightly", "config.yaml", "--modles", "x"])


@EACH
def test_variables_in_arguments_come_from_a_config_map(name):
    maps = {each["metadata"]["name"]: each["data"] for each in BUILT[name] if each["kind"] == "ConfigMap"}
    for each in BUILT[name]:
        for container in containers(each):
            sources = [
                source["configMapRef"]["name"] for source in container.get("envFrom", []) if "configMapRef" in source
            ]
            known = {key for source in sources for key in maps[source]} | {
                each["name"] for each in container.get("env", [])
            }
            wanted = set(re.findall(r"\$\((\w+)\)", " ".join(container.get("args", []))))
            assert wanted <= known


@EACH
def test_arguments_name_folders_that_are_mounted(name):
    for each in BUILT[name]:
        for container in containers(each):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            words = [word.partition("=")[2] if word.startswith("--") else word for word in container.get("args", [])]
            for path in (word for word in words if word.startswith("/")):
                assert any(path == mount or path.startswith(f"{mount}/") for mount in mounts), path
            if container["image"].startswith("ranker-train"):
                assert {"/tmp", "/var/cache/ranker"} <= mounts


@pytest.mark.parametrize(
    ("name", "distribution"),
    [("training", "multi_worker"), ("parameter-servers", "parameter_server"), ("nightly", "one")],
)
def test_configs_are_valid(name, distribution):
    experiment = load(FOLDER / name / "config.yaml")
    assert experiment.training.distribute.name == distribution
    assert not experiment.training.refit
    if name == "nightly":
        assert experiment.day_column is not None
        assert experiment.promotion
    else:
        assert experiment.training.checkpoint_every is not None


@pytest.mark.parametrize("name", ["training", "parameter-servers"])
def test_numbers_and_names_of_pods_are_those_that_the_commands_say(name):
    service, told = found(name, "Service"), set()
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"]
    for each in BUILT[name]:
        for container in containers(each):
            words = [
                word[2:].split("=") for word in container["args"] if re.match(r"--(name|role|workers|servers)=", word)
            ]
            options, spec = {"role": "worker", "servers": "0", **dict(words)}, each["spec"]
            told.add((options["workers"], options["servers"]))
            assert each["metadata"]["name"] == f"{options['name']}-{options['role']}"
            assert (
                [port["containerPort"] for port in container["ports"]]
                == [service["spec"]["ports"][0]["port"]]
                == [2222]
            )
            count = int({"worker": options["workers"], "server": options["servers"], "chief": "1"}[options["role"]])
            assert spec["completions"] == spec["parallelism"] == count
            assert (spec["completionMode"], spec["template"]["spec"]["restartPolicy"]) == ("Indexed", "Never")
            assert spec["template"]["spec"]["subdomain"] == options["name"] == service["metadata"]["name"]
    assert len(told) == 1


@pytest.mark.parametrize("name", ["training", "parameter-servers"])
def test_pods_that_another_one_takes_along_do_not_count(name):
    jobs = [each for each in BUILT[name] if each["kind"] == "Job"]
    assert len(jobs) == (1 if name == "training" else 3)
    for job in jobs:
        (container,) = containers(job)
        rules = job["spec"]["podFailurePolicy"]["rules"]
        of = {"containerName": container["name"], "operator": "In"}
        assert rules[0] == {"action": "FailJob", "onExitCodes": {**of, "values": [2]}}
        assert rules[1] == {"action": "Ignore", "onExitCodes": {**of, "values": [LOST]}}
        assert rules[2]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        assert job["spec"]["activeDeadlineSeconds"] > 0  # as some ends do not count


def test_nobody_but_their_own_pods_reaches_those_that_train():
    for name in ("training", "parameter-servers"):
        spec = found(name, "NetworkPolicy")["spec"]
        assert spec["ingress"] == [{"from": [{"podSelector": spec["podSelector"]}]}]


def test_a_refused_version_ends_the_night_at_once():
    job = found("nightly", "CronJob")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    rule = job["jobTemplate"]["spec"]["podFailurePolicy"]["rules"][0]
    (container,) = containers(found("nightly", "CronJob"))
    assert rule == {
        "action": "FailJob",
        "onExitCodes": {"containerName": container["name"], "operator": "In", "values": [2, 3]},
    }


def test_a_service_from_a_store_has_no_volume_of_versions():
    kinds = {each["kind"] for each in BUILT["service-from-store"]}
    assert "PersistentVolumeClaim" not in kinds
    assert {each["kind"] for each in BUILT["service"]} - {"PersistentVolumeClaim"} == kinds
    spec = found("service-from-store", "Deployment")["spec"]["template"]["spec"]
    (fetch,), (serve,) = spec["initContainers"], spec["containers"]
    assert fetch["image"] == serve["image"]
    assert fetch["args"][2] == serve["args"][0]
    (writes,) = [mount for mount in fetch["volumeMounts"] if mount["name"] == "artifacts"]
    (reads,) = [mount for mount in serve["volumeMounts"] if mount["name"] == "artifacts"]
    assert (writes.get("readOnly"), reads["readOnly"]) == (None, True)
    settings = fetch["envFrom"][0]
    assert settings in serve["envFrom"]  # both read RANKER_SERVE_VERSION


class TestRayJob:
    """What KubeRay documents of ray.io/v1, as far as the job relies on it."""

    spec = found("scoring", "RayJob")["spec"]

    def test_fields_are_those_of_a_ray_job(self):
        assert found("scoring", "RayJob")["apiVersion"] == "ray.io/v1"
        assert self.spec.keys() <= {
            "submissionMode", "entrypoint", "backoffLimit", "activeDeadlineSeconds", "shutdownAfterJobFinishes",
            "ttlSecondsAfterFinished", "rayClusterSpec",
        }  # fmt: skip
        assert self.spec["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
        assert self.spec["shutdownAfterJobFinishes"]  # without which a time to live is refused
        cluster = self.spec["rayClusterSpec"]
        assert cluster.keys() == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
        assert cluster["headGroupSpec"].keys() == {"rayStartParams", "template"}
        (group,) = cluster["workerGroupSpecs"]
        assert group.keys() == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        for each in (cluster["headGroupSpec"], group):
            assert all(isinstance(value, str) for value in each["rayStartParams"].values())

    def test_it_names_the_ray_that_the_image_has(self):
        lock = (ROOT / "lock" / "train.txt").read_text()
        assert f"\nray=={self.spec['rayClusterSpec']['rayVersion']} " in lock
        assert "\naiohttp-cors==" in lock  # of ray[default], whose dashboard takes the job

    def test_ray_is_the_first_container_and_its_probes_need_no_program(self):
        for pod in pods(found("scoring", "RayJob")):
            first = pod["spec"]["containers"][0]
            assert {"name", "image"} <= first.keys()
            assert "command" not in first  # KubeRay's
            assert {"httpGet"} <= first["readinessProbe"].keys() & first["livenessProbe"].keys()

    def test_the_command_is_known_and_needs_no_shell(self):
        program, *words = self.spec["entrypoint"].split()
        assert program == "ranker-train"
        assert not re.search(r"[$'\"\\;|&<>*]", self.spec["entrypoint"])
        check(ranker_train, words)

    def test_images_are_set_where_kustomize_does_not_look_itself(self):
        text = (FOLDER / "scoring" / "images.yaml").read_text()
        assert "headGroupSpec/template/spec/containers[]/image" in text
        assert "workerGroupSpecs[]/template/spec/containers[]/image" in text


def test_image_targets_are_those_of_the_dockerfile():
    text = (ROOT / "Dockerfile").read_text()
    assert "AS train\n" in text
    assert text.rindex('ENTRYPOINT ["ranker-serve"]') > text.index('ENTRYPOINT ["ranker-train"]')  # the last is built
    assert "lock/train.txt" in text
