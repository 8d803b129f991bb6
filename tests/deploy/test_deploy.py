"""What is in ``deploy`` is valid by its schemas, and agrees with the service and with itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import typer
import yaml

from serving.cli import GRACE
from serving.cli import app as cli
from serving.http.api_keys import Keys
from serving.observability.metrics import Metrics
from serving.settings import PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
OPTIONS = {option for parameter in typer.main.get_command(cli).params for option in parameter.opts}


def read(*path):
    return yaml.safe_load(DEPLOY.joinpath(*path).read_text())


SERVICE = DEPLOY / "kubernetes" / "service"
OBJECTS = {file.name: read("kubernetes", "service", file.name) for file in sorted(SERVICE.glob("*.yaml"))}
KUSTOMIZATION = OBJECTS.pop("kustomization.yaml")
SETTINGS = dict(
    line.split("=", 1) for line in (SERVICE / "settings.env").read_text().splitlines() if not line.startswith("#")
)
OFFERED = dict(re.findall(r"^#(\w+)=(.*)$", (SERVICE / "settings.env").read_text(), re.M))
DEPLOYMENT = OBJECTS["deployment.yaml"]["spec"]["template"]["spec"]
CONTAINER = DEPLOYMENT["containers"][0]
COMPOSE = read("compose.yaml")
SERVICES = COMPOSE["services"]


def problems_of(settings, arguments):
    """Settings and options that the service would not take."""
    Settings.from_environment({f"{PREFIX}ARTIFACT": "/artifacts", **settings})
    given = [argument for argument in arguments if argument.startswith("--")]
    return [option for option in given if option not in OPTIONS]


@pytest.mark.parametrize("version", ["1.30.0", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", OBJECTS)
def test_manifests_fit_the_schemas_of_kubernetes(name, version):
    kubernetes_validate.validate(OBJECTS[name], version, strict=True)


def test_a_wrong_manifest_is_seen():
    wrong = {**OBJECTS["deployment.yaml"], "spec": {**OBJECTS["deployment.yaml"]["spec"], "replcas": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replcas"):
        kubernetes_validate.validate(wrong, "1.30.0", strict=True)


def test_the_compose_file_fits_the_schema_of_compose():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ended = subprocess.run([*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_the_kustomization_names_every_object_once():
    named = set(KUSTOMIZATION["resources"])
    assert named | {"hpa-cpu.yaml", "secret.example.yaml"} == set(OBJECTS)
    assert {image["name"] for image in KUSTOMIZATION["images"]} == {CONTAINER["image"]}
    (made,) = KUSTOMIZATION["configMapGenerator"]
    assert made["envs"] == ["settings.env"]
    assert "disableNameSuffixHash" not in str(KUSTOMIZATION)  # the hash is what rolls the pods


def test_no_image_is_the_latest():
    built = [image["newTag"] for image in KUSTOMIZATION["images"]]
    built += [service["image"].partition(":")[2] for service in SERVICES.values()]
    assert all(built)
    assert "latest" not in built


def test_the_operators_rules_are_those_of_prometheus():
    rule = read("kubernetes", "service", "monitoring", "prometheusrule.yaml")
    assert rule["spec"] == read("prometheus", "alerts.yaml")
    files = {"kustomization.yaml", *read("kubernetes", "service", "monitoring", "kustomization.yaml")["resources"]}
    assert files == {file.name for file in (SERVICE / "monitoring").iterdir()}


def test_the_operator_finds_the_service_and_its_key():
    monitor = read("kubernetes", "service", "monitoring", "servicemonitor.yaml")["spec"]
    labels = OBJECTS["service.yaml"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels[monitor["jobLabel"]] == "ranker"
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in OBJECTS["service.yaml"]["spec"]["ports"]}
    secret = OBJECTS["secret.example.yaml"]
    key = endpoint["authorization"]["credentials"]
    assert key["name"] == secret["metadata"]["name"]
    assert secret["stringData"][key["key"]] in secret["stringData"]["rank"].split()


def test_pods_that_the_policy_names_are_the_services():
    policy = OBJECTS["networkpolicy.yaml"]["spec"]
    assert policy["podSelector"] == {"matchLabels": OBJECTS["service.yaml"]["spec"]["selector"]}
    assert policy["ingress"][0]["ports"] == [{"port": CONTAINER["ports"][0]["name"]}]


def test_pods_are_spread_over_nodes_for_certain():
    spread = {c["topologyKey"]: c for c in DEPLOYMENT["topologySpreadConstraints"]}
    assert spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
    assert spread["kubernetes.io/hostname"]["matchLabelKeys"] == ["pod-template-hash"]


def test_memory_holds_the_folder_in_memory_too():
    size = {volume["name"]: volume for volume in DEPLOYMENT["volumes"]}["tmp"]["emptyDir"]["sizeLimit"]
    limits, requests = CONTAINER["resources"]["limits"], CONTAINER["resources"]["requests"]
    assert size == "64Mi"
    assert limits["memory"] == requests["memory"] == "2Gi"


def test_keys_of_compose_are_those_that_are_made(tmp_path):
    shutil.copy(DEPLOY / "make_keys", tmp_path)
    subprocess.run([tmp_path / "make_keys"], check=True)
    files = {secret["file"] for secret in COMPOSE["secrets"].values()}
    assert files == {f"./keys/{file.name}" for file in (tmp_path / "keys").iterdir()}
    assert Keys.read("keys", None, tmp_path / "keys" / "rank")
    password = (tmp_path / "keys" / "redis").read_text().split()[1]
    assert f":{password}@redis:6379" in (tmp_path / "keys" / "users").read_text()
    again = subprocess.run([tmp_path / "make_keys"], check=True, capture_output=True, text=True)
    assert "is there already" in again.stderr
    paths = {Path(value).name for name, value in SERVICES["ranker"]["environment"].items() if name.endswith("_FILE")}
    assert paths == set(SERVICES["ranker"]["secrets"])
    job = read("prometheus", "prometheus.yaml")["scrape_configs"][0]
    assert Path(job["authorization"]["credentials_file"]).name in SERVICES["prometheus"]["secrets"]


def test_settings_and_options_of_every_file_are_the_services():
    assert problems_of(SETTINGS, CONTAINER["args"]) == []
    for name, value in OFFERED.items():
        assert problems_of({**SETTINGS, name: value}, []) == []
    service = SERVICES["ranker"]
    of_compose = {name: value for name, value in service["environment"].items() if value is not None}
    assert {
        name for name in service["environment"] if name.removeprefix(PREFIX).lower() not in Settings.model_fields
    } == set()
    assert problems_of(of_compose, service.get("command", [])) == []


def test_a_pod_is_given_the_time_that_its_end_takes():
    drain = float(SETTINGS[f"{PREFIX}DRAIN"])
    assert DEPLOYMENT["terminationGracePeriodSeconds"] > drain + GRACE
    drain = float(SERVICES["ranker"]["environment"][f"{PREFIX}DRAIN"])
    assert float(SERVICES["ranker"]["stop_grace_period"].removesuffix("s")) > drain + GRACE


def test_a_pod_has_no_rights_and_writes_nowhere_but_into_memory():
    assert DEPLOYMENT["securityContext"]["runAsNonRoot"]
    assert str(DEPLOYMENT["securityContext"]["runAsUser"]) in (DEPLOY.parent / "Dockerfile").read_text()
    context = CONTAINER["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    volumes = {volume["name"]: volume for volume in DEPLOYMENT["volumes"]}
    mounts = {mount["name"]: mount for mount in CONTAINER["volumeMounts"]}
    assert volumes.keys() == mounts.keys()
    assert [name for name, mount in mounts.items() if not mount.get("readOnly")] == ["tmp"]
    assert volumes["tmp"]["emptyDir"]["medium"] == "Memory"


def test_paths_in_settings_are_mounted():
    mounts = [mount["mountPath"] for mount in CONTAINER["volumeMounts"]]
    files = [value for name, value in {**SETTINGS, **OFFERED}.items() if name.endswith("_FILE")]
    for path in [*files, CONTAINER["args"][0]]:
        assert any(path == mount or path.startswith(f"{mount}/") for mount in mounts)
    keys = {Path(file).name for file in files if "/keys/" in file}
    assert keys | {"metrics"} == set(OBJECTS["secret.example.yaml"]["stringData"])


def test_placeholders_for_keys_are_refused_by_the_service():
    values = OBJECTS["secret.example.yaml"]["stringData"]
    assert all(len(key) < 16 for name in ("rank", "admin") for key in values[name].split())


def test_objects_name_each_other():
    labels = OBJECTS["deployment.yaml"]["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["deployment.yaml"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert OBJECTS["service.yaml"]["spec"]["selector"].items() <= labels.items()
    assert OBJECTS["pdb.yaml"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in CONTAINER["ports"]}
    assert {probe["httpGet"]["port"] for name, probe in CONTAINER.items() if name.endswith("Probe")} <= ports
    assert OBJECTS["service.yaml"]["spec"]["ports"][0]["targetPort"] in ports
    for scaler in ("hpa.yaml", "hpa-cpu.yaml"):
        assert OBJECTS[scaler]["spec"]["scaleTargetRef"]["name"] == OBJECTS["deployment.yaml"]["metadata"]["name"]
    assert CONTAINER["envFrom"] == [{"configMapRef": {"name": KUSTOMIZATION["configMapGenerator"][0]["name"]}}]
    claims = {v["persistentVolumeClaim"]["claimName"] for v in DEPLOYMENT["volumes"] if "persistentVolumeClaim" in v}
    assert claims == {OBJECTS["volume.yaml"]["metadata"]["name"]}


def test_the_autoscaler_asks_for_a_metric_that_the_adapter_makes_of_one_that_there_is():
    wanted = OBJECTS["hpa.yaml"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    rules = read("prometheus", "adapter.yaml")["rules"]["custom"]
    made = {rule["name"]["as"]: rule for rule in rules}
    assert wanted in made
    families = {family.name for family in Metrics()._own.collect()}
    assert re.match(r"\w+", made[wanted]["seriesQuery"]).group() in families
    labels = {config["target_label"] for config in _relabelled() if "target_label" in config}
    assert set(made[wanted]["resources"]["overrides"]) <= labels
    pod = next(config for config in _relabelled() if config["source_labels"][0].endswith("app_kubernetes_io_name"))
    assert pod["regex"] == OBJECTS["service.yaml"]["spec"]["selector"]["app.kubernetes.io/name"]


def _relabelled():
    return read("prometheus", "kubernetes.yaml")["scrape_configs"][0]["relabel_configs"]


def test_compose_has_all_four_and_mounts_files_that_there_are():
    assert SERVICES.keys() == {"ranker", "redis", "prometheus", "grafana"}
    mounts = [mount for service in SERVICES.values() for mount in service["volumes"]]
    here = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert len(here) == 4
    assert [path for path in here if not (DEPLOY / path).exists()] == []
    named = [mount.split(":")[0] for mount in mounts if not mount.startswith(("./", "$"))]
    assert set(named) == set(COMPOSE["volumes"])
    assert {SERVICES[service]["build"]["context"] for service in SERVICES if "build" in SERVICES[service]} == {".."}


def test_ports_of_compose_are_open_to_the_machine_alone():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_and_grafana_find_what_they_read():
    for name in ("prometheus.yaml", "kubernetes.yaml"):
        config = read("prometheus", name)
        assert [job["job_name"] for job in config["scrape_configs"]] == ["ranker"]  # which alerts and dashboard expect
        assert all((DEPLOY / "prometheus" / file).is_file() for file in config["rule_files"])
    (target,) = read("prometheus", "prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == "ranker:8000"
    source = read("grafana", "provisioning", "datasources", "prometheus.yaml")["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    folder = read("grafana", "provisioning", "dashboards", "ranker.yaml")["providers"][0]["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounted = {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}
    assert home in mounted
    assert Path(home).parent == Path(folder)
