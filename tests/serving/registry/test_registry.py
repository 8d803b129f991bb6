"""Several models and an experiment in one service of two workers."""

import json
import shutil
import time

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ranker.artifact import load
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from serving.observability.metrics import Metrics
from serving.registry.registry import ModelRegistry
from serving.registry.shared_state import SharedState
from serving.settings import Settings, SettingsError
from tests.ranker.conftest import schema_of
from tests.serving.asking import CLIENT, patiently, post
from tests.serving.conftest import server
from tests.serving.registry.test_reload import KEYED, ask, corrupt

MODELS = ("main", "challenger", "broken", "other")
BOLD = {"options": {"name": "multiplicative"}}
EXPERIMENT = {
    "name": "autumn",
    "unit": "user",
    "groups": {
        "control": {"share": 0.5},
        "bold": {"share": 0.3, "fusion": "bold"},
        "tryout": {
            "share": 0.2,
            "model": "challenger",
            "fusion": {"name": "additive", "parameters": {"share": {"buy": 5}}},
        },
    },
}


@pytest.fixture(scope="module")
def root(write_artifact, tmp_path_factory):
    """Folders of models: one fails for large numbers, one knows no city."""
    root = tmp_path_factory.mktemp("several")
    write_artifact(root / "main", bold=BOLD)
    write_artifact(root / "challenger", fusion={"parameters": {"share": {"click": 3.0}}})
    context = {name: feature for name, feature in schema_of().context.items() if name != "city"}
    write_artifact(root / "broken", breaks=True)
    write_artifact(root / "other", schema=schema_of(context=context))
    return root


def write(file, experiment=None, **more):
    models = {name: {"artifact": name} for name in MODELS} | {"other": {"artifact": "other", "version": 1}}
    content = {"models": models, "default": "main", "experiment": experiment, **more}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@pytest.fixture(scope="module")
def running(root):
    file = write(root / "models.yaml", EXPERIMENT)
    # Of all engines ONNX Runtime is the one that can be made to fail.
    with server("--models", file, "--workers", 2, engine="onnxruntime", **KEYED) as service:
        patiently(lambda: len(status_of(service.url)["workers"]) == 2)
        yield service


def status_of(url):
    return CLIENT.get(f"{url}/admin/status", headers={"Authorization": f"Bearer {KEYED['admin_keys']}"}).json()


@pytest.fixture(scope="module")
def url(running):
    return running.url


def of_user(body, user):
    return {**body, "context": {**body["context"], "user": user}}


def problems(answer):
    assert answer.status_code == 422, answer.text
    return {problem["field"]: problem["reason"] for problem in answer.json()["detail"]}


def test_each_user_stays_in_the_group_of_its_hash(url, body):
    split = Split(Experiment.model_validate(EXPERIMENT))
    seen = {}
    with httpx.Client() as client:
        for user in [*range(25), *range(25)]:  # twice: either worker may answer
            answer = client.post(f"{url}/rank", content=json.dumps(of_user(body, user))).json()
            group = answer["experiment"]["group"]
            assert answer["experiment"] == {"name": "autumn", "group": split.group_of(str(user))}
            seen[group] = (answer["model"], answer["fusion"]["name"], answer["fusion"]["parameters"].get("share"))
    assert seen == {
        "control": ("main", "default", {"click": 1.0, "buy": 2.0, "watch": 1.0}),
        "bold": ("main", "bold", None),
        "tryout": ("challenger", "additive", {"click": 3.0, "buy": 5.0, "watch": 1.0}),
    }


def test_a_request_that_chooses_is_in_no_group(url, body):
    chosen = post(url, {**body, "model": "challenger"}).json()
    assert chosen["experiment"] == {"name": "autumn", "group": None, "outside": "chosen"}
    assert (chosen["model"], chosen["fusion"]["parameters"]["share"]["click"]) == ("challenger", 3.0)
    bold = post(url, {**body, "fusion": {"name": "bold"}}).json()
    assert (bold["model"], bold["experiment"]["outside"]) == ("main", "chosen")
    both = post(url, {**body, "model": "challenger", "fusion": {"name": "rank_power"}}).json()
    assert (both["model"], both["fusion"]["name"]) == ("challenger", "rank_power")
    assert post(url, {**of_user(body, 3), "model": None, "fusion": None}).json()["experiment"]["group"] is not None


def test_a_request_without_a_user_is_ranked_by_the_default_and_says_so(url, body):
    answer = post(url, of_user(body, None)).json()
    assert answer["experiment"] == {"name": "autumn", "group": None, "outside": "no_unit"}
    assert (answer["model"], answer["fusion"]["name"]) == ("main", "default")
    wrong = {**body, "context": {name: value for name, value in body["context"].items() if name != "user"}}
    assert problems(post(url, wrong)) == {"context.user": "is required"}
    assert "context" in problems(post(url, {**body, "context": 3}))


def test_each_model_reads_requests_by_its_own_schema(url, body):
    without = {**body, "context": {name: value for name, value in body["context"].items() if name != "city"}}
    assert post(url, {**without, "model": "other"}).json()["model"] == "other"
    assert "is unknown" in problems(post(url, {**body, "model": "other"}))["context.city"]
    assert problems(post(url, {**without, "model": "main"})) == {"context.city": "is required"}


def test_an_unknown_model_lists_those_there_are(url, body):
    assert problems(post(url, {**body, "model": "chalenger"})) == {
        "model": "no model is named 'chalenger'; did you mean 'challenger'? (known: main, challenger, broken, other)"
    }
    assert "valid string" in problems(post(url, {**body, "model": 3}))["model"]
    reason = problems(post(url, {**body, "model": "challenger", "fusion": {"name": "bold"}}))["fusion"]
    assert reason.startswith("no fusion is named 'bold'")  # that one is main's


def test_models_are_described(url):
    listed = CLIENT.get(f"{url}/models").json()
    assert listed["default"] == "main"
    assert tuple(listed["models"]) == MODELS
    assert "bold" in listed["models"]["main"]["fusions"]
    assert list(listed["experiment"]["groups"]) == ["control", "bold", "tryout"]
    assert CLIENT.get(f"{url}/model").json()["name"] == "main"
    assert "city" not in CLIENT.get(f"{url}/model", params={"name": "other"}).json()["schema"]["context"]
    refused = CLIENT.get(f"{url}/model", params={"name": "othr"})
    assert refused.status_code == 404
    assert "did you mean 'other'" in refused.json()["detail"][0]["reason"]


def test_the_docs_have_a_request_to_each_model_and_each_works(url):
    content = CLIENT.get(f"{url}/openapi.json").json()["paths"]["/rank"]["post"]["requestBody"]["content"]
    json_ = content["application/json"]
    assert [schema["title"] for schema in json_["schema"]["oneOf"]] == [f"Requests to {name}" for name in MODELS]
    for name, example in json_["examples"].items():
        assert post(url, example["value"]).json()["model"] == name


def test_requests_are_counted_by_model_and_group(url, body):
    def counted():
        families = text_string_to_metric_families(CLIENT.get(f"{url}/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        requests = [s for s in samples if s.name == "ranker_requests_total" and s.labels["outcome"] == "ok"]
        seconds = [s for s in samples if s.name == "ranker_request_seconds_count"]
        assert {s.labels["model"] for s in samples if s.name == "ranker_score_psi"} == set(MODELS)
        return [{(s.labels["model"], s.labels["group"]): s.value for s in found} for found in (requests, seconds)]

    before = counted()
    split = Split(Experiment.model_validate(EXPERIMENT))
    user = {split.group_of(str(user)): user for user in range(25)}
    for group in ("control", "bold", "bold", "tryout"):
        post(url, of_user(body, user[group]))
    post(url, of_user(body, None))
    post(url, {**body, "model": "challenger"})

    def more():
        pairs = zip(counted(), before, strict=True)
        return [
            {key: value - old.get(key, 0) for key, value in now.items() if value > old.get(key, 0)}
            for now, old in pairs
        ]

    expected = {
        ("main", "control"): 1,
        ("main", "bold"): 2,
        ("challenger", "tryout"): 1,
        ("main", "_no_unit"): 1,
        ("challenger", "_chosen"): 1,
    }
    patiently(lambda: more() == [expected, expected])


def test_versions_of_one_model_change_and_leave_the_others(url, running, body, root, write_artifact):
    write_artifact(root / "challenger", fusion={"parameters": {"share": {"click": 4.0}}})
    changed = ask(url, "reload", model="challenger").json()
    assert (changed["model"], changed["version"], set(changed["workers"].values())) == ("challenger", 2, {2})
    assert post(url, {**body, "model": "challenger"}).json()["fusion"]["parameters"]["share"]["click"] == 4
    shutil.copytree(root / "challenger" / "2", root / "challenger" / "7")
    refused = ask(url, "reload", model="challenger", version=7)
    shutil.rmtree(root / "challenger" / "7")
    assert refused.status_code == 409
    found = status_of(url)
    served = {**dict.fromkeys(MODELS, 1), "challenger": 2}
    assert {name: model["version"] for name, model in found["models"].items()} == served
    assert all(worker["models"] == served for worker in found["workers"].values())
    assert ask(url, "rollback", model="challenger").json()["version"] == 1
    assert ask(url, "rollback").status_code == 409  # of main there was none before
    assert ask(url, "reload", model="other").json()["detail"][0]["field"] == "model other"
    assert ask(url, "reload", model="man").status_code == 404
    assert (
        ask(url, "rollback", model="man")
        .json()["detail"][0]["reason"]
        .endswith("(known: main, challenger, broken, other)")
    )


def test_a_version_that_the_experiment_cannot_use_is_refused(url, root, write_artifact):
    write_artifact(root / "main")  # without the fusion that a group names
    refused = ask(url, "reload", model="main")
    shutil.rmtree(root / "main" / "2")
    assert refused.status_code == 409
    reason = refused.json()["detail"][0]["reason"]
    assert "experiment.groups.bold.fusion: no fusion is named 'bold'" in reason
    assert CLIENT.get(f"{url}/model").json()["version"] == 1
    assert 'ranker_reloads_total{model="main",outcome="experiment"}' in CLIENT.get(f"{url}/metrics").text


def test_the_experiment_is_read_anew_and_a_wrong_one_refused(url, body, root):
    file, before = root / "models.yaml", status_of(url)["experiment"]

    def reloaded(**changes):
        write(file, {**EXPERIMENT, **changes} if changes else None)
        return ask(url, "experiment/reload")

    try:
        for changes, reason in (
            ({"grups": {}}, "unknown key 'grups'; did you mean 'groups'?"),
            (
                {"groups": {"a": {"share": 1, "fusion": "bald"}}},
                "experiment.groups.a.fusion: no fusion is named 'bald'",
            ),
            (
                {"groups": {"a": {"share": 1, "fusion": {"explore": {"first": 3}}}}},
                "experiment.groups.a.fusion: explore: the fusion does not explore",
            ),
            (
                {"groups": {"a": {"share": 1, "model": "other"}}},
                "has another request schema than 'main' (context.city)",
            ),
            ({"unit": "item"}, "experiment.unit: 'item' is not a context column of model 'main'"),
        ):
            refused = reloaded(**changes)
            assert refused.status_code == 409
            assert reason in refused.json()["detail"][0]["reason"]
            assert str(root) not in refused.text
        write(file, EXPERIMENT, default="challenger")
        assert "restart the service to apply that" in ask(url, "experiment/reload").json()["detail"][0]["reason"]
        assert status_of(url)["experiment"] == before
        changed = reloaded(coverage=0.0).json()
        assert set(changed["workers"].values()) == {changed["experiment"]["revision"]} != {before["revision"]}
        assert {post(url, of_user(body, user)).json()["experiment"]["outside"] for user in range(6)} == {"not_covered"}
        assert reloaded().json()["experiment"] is None
        assert {post(url, of_user(body, user)).json()["experiment"] for user in range(6)} == {None}
    finally:
        write(file, EXPERIMENT)
        assert ask(url, "experiment/reload").json()["experiment"] == before


def test_a_failure_of_the_engine_is_a_500_and_the_next_request_is_ranked(running, url, body):
    assert post(url, {**body, "model": "broken"}).json()["model"] == "broken"
    vectors = [[1e5, 0.0, 0.0], *body["candidates"]["vector"][1:]]
    wrong = {**body, "model": "broken", "candidates": {**body["candidates"], "vector": vectors}}
    failed = post(url, wrong, **{"X-Request-ID": "the-one-that-fails"})
    assert failed.status_code == 500
    assert failed.json() == {
        "detail": [
            {
                "field": "service",
                "reason": "the service failed; its log says why under request id the-one-that-fails",
            }
        ]
    }
    assert failed.headers["x-content-type-options"] == "nosniff"
    assert post(url, {**wrong, "model": "main"}).status_code == 200
    assert post(url, {**body, "model": "broken"}).status_code == 200

    def logged():
        lines = [line for line in running.log() if line.get("request_id") == "the-one-that-fails"]
        return {line["event"]: line for line in lines}

    lines = patiently(lambda: {"request failed", "request"} <= logged().keys() and logged())
    assert "Gather" in lines["request failed"]["traceback"]
    assert lines["request"]["status"] == 500
    counted = 'ranker_requests_total{group="_chosen",model="broken",outcome="failed",version="1"} 1.0'
    patiently(lambda: counted in CLIENT.get(f"{url}/metrics").text)


def loaded(file, folder, begins=True):
    return ModelRegistry(Settings(models=file, engine="onnxruntime"), SharedState(folder), Metrics(), begins)


def test_a_service_does_not_start_on_an_experiment_that_cannot_be_served(root, tmp_path):
    wrong = {**EXPERIMENT, "groups": {"a": {"share": 1, "model": "challenger", "fusion": "bold"}}}
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_MODELS: experiment\.groups\.a\.fusion: no fusion is named"):
        loaded(write(root / "wrong.yaml", wrong), tmp_path)
    missing = {"a": {"artifact": "main", "version": 9}}
    with pytest.raises(ValueError, match=r"models\.a: .*: there is no version 9 \(there are: \[1\]\)"):
        loaded(write(root / "wrong.yaml", models=missing, default="a"), tmp_path)


def test_a_worker_that_starts_late_serves_what_the_others_do(root, tmp_path):
    file = write(root / "late.yaml", EXPERIMENT)
    first = loaded(file, tmp_path)
    file.write_text("models: [")
    late = loaded(file, tmp_path, begins=False)
    assert late.served.experiment == first.served.experiment
    assert tuple(late.served.rankers) == MODELS
    with pytest.raises(SettingsError, match="is not valid YAML"):
        loaded(file, tmp_path)  # a service that begins reads the file
    write(file, {**EXPERIMENT, "coverage": 0.5})
    assert loaded(file, tmp_path).served.experiment.coverage == 0.5


def test_a_change_begins_with_what_others_changed(root, tmp_path, write_artifact):
    file = write(root / "two.yaml", EXPERIMENT)
    one, other = loaded(file, tmp_path), loaded(file, tmp_path, begins=False)
    write(file, {**EXPERIMENT, "coverage": 0.5})
    one.reload_experiment()
    write_artifact(root / "challenger")
    version = max(one.loaders["challenger"].versions())
    other.change("challenger", version)
    assert (other.served.experiment.coverage, other.served.version("challenger")) == (0.5, version)
    one.roll_back("challenger")  # of what the other one changed
    assert (one.served.version("challenger"), other.served.version("challenger")) == (version - 1, version)
    other.follow()
    assert other.served.version("challenger") == version - 1
    shutil.rmtree(root / "challenger" / str(version))


def test_a_header_names_the_user_where_the_experiment_says_so(root, tmp_path, body):
    by_header = {**EXPERIMENT, "unit": None, "header": "X-Experiment-Unit"}
    served = loaded(write(root / "header.yaml", by_header), tmp_path).served
    split = Split(Experiment.model_validate(by_header))
    route = served.route(of_user(body, 1), {"X-Experiment-Unit": "anna"})
    assert route.group == split.group_of("anna")
    assert served.route(of_user(body, 1), {}).group == "_no_unit"


def test_the_watch_looks_at_every_model(write_artifact, tmp_path, body):
    for name in MODELS:
        write_artifact(tmp_path / name)
    with server("--models", write(tmp_path / "models.yaml"), watch=0.2, **KEYED) as service:
        corrupt(tmp_path / "main", 7)
        write_artifact(tmp_path / "challenger")
        write_artifact(tmp_path / "other")
        patiently(lambda: status_of(service.url)["models"]["challenger"]["version"] == 2)
        time.sleep(0.5)
        found = status_of(service.url)["models"]
        assert {name: model["version"] for name, model in found.items()} == {
            **dict.fromkeys(MODELS, 1),
            "challenger": 2,
        }
        assert post(service.url, body).json()["model_version"] == 1
        refused = patiently(lambda: service.logged("version refused"))
        assert [(line["model"], line["version"], line["cause"]) for line in refused] == [("main", 7, "unreadable")]
    assert load(tmp_path / "other").manifest.version == 2
