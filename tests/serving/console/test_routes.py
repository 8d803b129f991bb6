"""Who gets what from the console's routes, and that its bench leaves no trace in what is counted."""

import json
from datetime import UTC, datetime

import pytest

from serving.observability.metrics import Metrics
from serving.settings import Settings, SettingsError
from tests.serving.asking import CLIENT, patiently
from tests.serving.console.conftest import ADMIN, LARGEST, RANK, bearer


def logged(console):
    return [one for one in console.get("/admin/console/requests") if one["title"].startswith("Logged")]


def test_a_logged_request_is_ranked_as_it_was(console):
    context = {**console.request["context"], "user": 4321}
    request = {**console.request, "context": context}
    expected = console.rank(request).json()
    found = patiently(lambda: [one for one in logged(console) if one["request"]["context"]["user"] == 4321])[0]
    assert found["title"].endswith("UTC (20 candidates)")
    assert found["request"].keys() == {"context", "candidates"}
    again = console.rank(found["request"]).json()
    assert [again["fused"], again["ids"]] == [expected["fused"], expected["ids"]]


def test_the_bench_is_not_in_the_exposure_log(console):
    context = {**console.request["context"], "user": 4444}
    assert console.post("/admin/console/rank", {**console.request, "context": context}).status_code == 200
    console.rank({**console.request, "context": {**context, "user": 4445}})
    users = patiently(
        lambda: (got := {one["request"]["context"]["user"] for one in logged(console)}) and 4445 in got and got
    )
    assert 4444 not in users


def counted(console):
    found = console.get("/admin/console")["metrics"]
    kept = ("ranker_requests_total", "ranker_request_seconds", "ranker_stage_seconds", "ranker_candidates")
    return {name: found[name] for name in kept}


def test_the_page_needs_no_key_and_what_it_shows_does(console):
    for path in ("/console", "/console/", "/ranker/console", "/console/main.js", "/ranker/console/style.css"):
        assert CLIENT.get(console.url + path).status_code == 200
    for path in ("", "/requests", "/model"):
        for headers in ({}, bearer(RANK), bearer("a wrong key of many letters")):
            assert CLIENT.get(f"{console.url}/admin/console{path}", headers=headers).status_code == 401
        for method in ("GET", "HEAD"):
            answer = CLIENT.request(method, f"{console.url}/admin/console{path}", headers=bearer(ADMIN))
            assert answer.status_code == 200
    assert console.post("/admin/console/rank", console.request, RANK).status_code == 401
    assert console.rank(console.request, ADMIN).status_code == 401  # an admin key opens the bench, not /rank


def test_the_page_may_load_the_services_own_files_alone(console):
    page = CLIENT.get(f"{console.url}/console")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'src="/ranker/console/main.js"' in page.text
    script = CLIENT.get(f"{console.url}/console/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "default-src 'none'" in script.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["..%2f__init__.py", "..%2F..%2Fsettings.py", "none.js", "x" * 200])
def test_no_other_file_is_served(console, name):
    refused = CLIENT.get(f"{console.url}/console/{name}")
    assert refused.status_code in (404, 422)
    assert refused.json()["detail"][0].keys() == {"field", "reason"}


def test_the_bench_ranks_as_rank_does_and_is_not_counted(console):
    request = {**console.request, "explain": True, "fusion": {"parameters": {"share": {"click": 0.3}}}}
    expected = console.rank(request).json()
    before = counted(console)
    for _ in range(3):
        assert console.post("/admin/console/rank", request).json() == expected
    assert counted(console) == before
    assert console.rank(request).status_code == 200
    after = counted(console)["ranker_requests_total"]
    assert sum(one["value"] for one in after) == sum(one["value"] for one in before["ranker_requests_total"]) + 1


def test_the_bench_tells_the_group_that_the_user_is_in(console):
    assert console.post("/admin/console/rank", console.request).json() == console.rank(console.request).json()
    assert console.post("/admin/console/rank", console.request).json()["experiment"]["group"] is not None


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        {"context": {}, "candidates": {"sku": [1]}},
        {"candidates": {}, "fusion": {"name": "clam"}},
        {"candidates": {}, "model": "shpo"},
    ],
    ids=str,
)
def test_a_bad_request_has_the_reasons_that_rank_gives(console, body):
    expected, found = console.rank(body), console.post("/admin/console/rank", body)
    assert (found.status_code, found.json()) == (expected.status_code, expected.json()) != (200, None)
    assert found.status_code == 422


def test_a_body_is_limited_as_that_of_rank_is(console):
    large = {**console.request, "candidates": {**console.request["candidates"], "more": "x" * 70_000}}
    assert console.post("/admin/console/rank", large).status_code == 422  # read, and found wrong
    larger = console.post("/admin/console/rank", "x" * (LARGEST + 1))
    assert (larger.status_code, larger.json()["detail"][0]["reason"]) == (413, f"may have at most {LARGEST} bytes")


def test_another_version_ranks_beside_the_served_one(console):
    served, older = (console.post(f"/admin/console/rank{query}", console.request) for query in ("", "?version=1"))
    assert (served.json()["model_version"], older.json()["model_version"]) == (2, 1)
    assert console.get("/admin/console/model?version=1")["version"] == 1
    assert console.get("/admin/console/model")["fusions"]["default"]["parameters"]["share"]["value"]["buy"] == 2.0
    share = console.get("/admin/console/model?version=1")["fusions"]["default"]["parameters"]["share"]["value"]
    assert share == {"click": 1.0, "buy": 1.0, "watch": 5.0}
    assert console.get("/admin/status")["models"]["shop"]["version"] == 2
    assert console.rank(console.request).json()["model_version"] == 2


def test_a_version_that_cannot_rank_is_refused_with_the_reason(console):
    missing = console.post("/admin/console/rank?version=9", console.request)
    assert (missing.status_code, missing.json()["detail"][0]["reason"]) == (
        404,
        "there is no version 9 (there are: [1, 2, 3])",
    )
    broken = console.post("/admin/console/rank?version=3", console.request)
    assert broken.status_code == 409
    assert "scores differ by 1.00e-02" in broken.json()["detail"][0]["reason"]
    assert console.post("/admin/console/rank?version=0", console.request).status_code == 422
    unknown = CLIENT.get(f"{console.url}/admin/console/model?name=shpo", headers=bearer(ADMIN))
    assert (unknown.status_code, unknown.json()["detail"][0]["field"]) == (404, "name")


def test_requests_to_start_from_can_be_sent_unchanged(console):
    console.rank(console.request)
    offered = patiently(lambda: logged(console) and console.get("/admin/console/requests"))
    assert "Golden request 1 (20 candidates)" in [one["title"] for one in offered]
    for one in offered:
        assert console.post("/admin/console/rank", one["request"]).status_code == 200


def test_the_status_says_since_when_and_why_not(console):
    shop = console.get("/admin/status")["models"]["shop"]
    times = [shop["created"], shop["since"], datetime.now(UTC).isoformat()]
    created, since, now = map(datetime.fromisoformat, times)
    assert created < since < now
    assert shop["refused"] == {"3": "scores"}
    last = shop["last_refused"]
    assert (last["version"], last["cause"]) == (3, "scores")
    assert "scores differ by 1.00e-02 from those the model was exported with" in last["reason"]
    assert created < datetime.fromisoformat(last["time"]) < now


@pytest.fixture
def models_file(console):
    """The models file, which is put back and loaded again."""
    file = console.folder / "models.json"
    before = file.read_text()
    yield file
    file.write_text(before)
    assert console.post("/admin/experiment/reload", {}).status_code == 200


def test_requests_of_groups_count_from_when_the_experiment_was_loaded(console, models_file):
    for _ in range(3):
        console.rank(console.request)
    before = patiently(lambda: (found := experiment(console))["groups"]["control"]["requests"] >= 3 and found)
    content = json.loads(models_file.read_text())
    content["experiment"]["groups"] = {"control": {"share": 0.9}, "bold": {"share": 0.1}}
    models_file.write_text(json.dumps(content))
    assert console.post("/admin/experiment/reload", {}).status_code == 200
    after = experiment(console)
    assert after["since"] > before["since"]
    assert {name: group["requests"] for name, group in after["groups"].items()} == {"control": 0.0, "bold": 0.0}
    console.rank(console.request)
    found = patiently(lambda: (found := experiment(console))["groups"]["control"]["requests"] and found)
    assert (found["groups"]["control"]["requests"], found["groups"]["control"]["expected"]) == (1.0, 0.9)
    console.post("/admin/experiment/reload", {})  # nothing has changed
    assert experiment(console) == found


def experiment(console):
    return console.get("/admin/console")["experiment"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"CONSOLE": "true"}, "console needs admin keys: set admin_keys or admin_keys_file"),
        ({"CONSOLE": "perhaps"}, "RANKER_SERVE_CONSOLE: .*boolean"),
        ({"CONSOLE_REPORTS": "r", "ADMIN_KEYS": ADMIN}, "console_reports is shown by the console alone"),
    ],
)
def test_a_console_that_nobody_could_open_is_refused(settings, reason):
    given = {f"RANKER_SERVE_{name}": value for name, value in {"ARTIFACT": "a", **settings}.items()}
    with pytest.raises(SettingsError, match=reason):
        Settings.from_environment(given)


def test_groups_are_counted_over_models_and_outcomes():
    metrics = Metrics()
    for outcome, model, group in [
        ("ok", "a", "bold"),
        ("invalid", "b", "bold"),
        ("ok", "a", "_chosen"),
        ("ok", "a", ""),
    ]:
        metrics._requests.labels(outcome, model, "1", group).inc(2)
    assert metrics.requests_by_group() == {"bold": 4.0}
