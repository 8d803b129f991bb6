"""Prefixes, slashes, HEAD, OPTIONS and browsers, against a real server."""

import pytest

from serving.settings import ROUTES, Settings, SettingsError
from tests.serving.asking import CLIENT, patiently
from tests.serving.conftest import server

ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def published(artifact):
    keys = {"api_keys": "k" * 32, "docs": "true"}
    with server(artifact.folder, root_path="/ranker", cors_origins=f"{ORIGIN}, https://b.example", **keys) as running:
        yield running.url
        patiently(running.log)  # every line is JSON


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/model", "/models", "/docs"])
def test_head_is_get_without_a_body(url, path):
    head, got = CLIENT.head(url + path), CLIENT.get(url + path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # it counts on between the two
        assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(("path", "allow"), [("/rank", "POST"), ("/model", "GET, HEAD")])
def test_options_without_cors_says_what_is_allowed(url, path, allow):
    answer = CLIENT.options(url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.json()["detail"][0]["field"] == f"OPTIONS {path}"
    assert "access-control-allow-origin" not in answer.headers


def test_nothing_is_redirected(url, body):
    plain = CLIENT.post(f"{url}/rank", json=body)
    answer = CLIENT.post(f"{url}/rank/", json=body, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()) == (200, plain.json())
    assert CLIENT.get(f"{url}/health/live/").status_code == 200


@pytest.mark.parametrize("prefix", ["", "/ranker"])
def test_a_prefix_is_served_whether_or_not_the_proxy_removes_it(published, body, prefix):
    key = {"Authorization": "Bearer " + "k" * 32}
    assert CLIENT.post(f"{published}{prefix}/rank", json=body, headers=key).status_code == 200
    assert CLIENT.get(f"{published}{prefix}/model", headers=key).status_code == 200
    assert "/ranker/openapi.json" in CLIENT.get(f"{published}{prefix}/docs").text
    assert CLIENT.get(f"{published}{prefix}/openapi.json").json()["servers"] == [{"url": "/ranker"}]
    assert CLIENT.get(f"{published}/rankers/model", headers=key).status_code == 404


def test_a_browsers_preflight_needs_no_key(published):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = CLIENT.options(f"{published}/rank", headers={"Origin": ORIGIN, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert int(answer.headers["access-control-max-age"]) > 0
    refused = CLIENT.options(f"{published}/rank", headers={"Origin": "https://c.example", **asked})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


def test_a_browser_reads_errors_too(published):
    for answer in (
        CLIENT.post(f"{published}/rank", json={}, headers={"Origin": ORIGIN}),
        CLIENT.post(f"{published}/rank", json={}, headers={"Origin": ORIGIN, "Authorization": "Bearer " + "k" * 32}),
        CLIENT.get(f"{published}/nothing", headers={"Origin": ORIGIN}),
    ):
        assert answer.status_code in (401, 404, 422)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


def test_a_browser_reads_a_ranking(published, body):
    key = {"Authorization": "Bearer " + "k" * 32}
    plain = CLIENT.post(f"{published}/rank", json=body, headers=key)
    assert "access-control-allow-origin" not in plain.headers
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://b.example", "https://b.example"), ("https://c.example", None)):
        answer = CLIENT.post(f"{published}/rank", json=body, headers={"Origin": origin, **key})
        assert (answer.status_code, answer.json()) == (200, plain.json())
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("trusted", [None, "127.0.0.0/8"])
def test_forwarded_headers_are_believed_of_named_proxies_alone(artifact, trusted):
    """As a proxy with TLS asks, with headers that its own client chose beside."""
    given = {} if trusted is None else {"forwarded_allow_ips": trusted}
    headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Proto": "https", "Host": "evil.example"}
    with server(artifact.folder, log_requests="all", docs="true", **given) as running:
        for path in ("/docs", "/models/", "/openapi.json", "/nothing"):
            answer = CLIENT.get(running.url + path, headers={**headers, "X-Request-ID": "proxied"})
            assert "evil.example" not in answer.text
            assert "http://" not in answer.text
            assert "location" not in answer.headers
        found = patiently(lambda: [line for line in running.log() if line.get("request_id") == "proxied"][3:])
    assert found[0]["client"] == ("127.0.0.1" if trusted is None else "203.0.113.9")


def test_what_kubernetes_sets_for_a_service_is_no_setting():
    given = {"RANKER_SERVE_ARTIFACT": "a", "RANKER_SERVE_SERVICE_HOST": "10.0.0.1", "RANKER_SERVE_SERVICE_PORT": "80"}
    links = {"RANKER_SERVE_SERVICE_PORT_HTTP": "80", "RANKER_SERVE_PORT_80_TCP": "tcp://10.0.0.1:80"}
    more = {"RANKER_SERVE_PORT_80_TCP_ADDR": "10.0.0.1", "RANKER_SERVE_PORT": "9000", "RANKER_SERVE_WORKERS": "2"}
    found = Settings.from_environment({**given, **links, **more})
    assert (found.port, found.workers, found.host) == (9000, 2, "127.0.0.1")
    with pytest.raises(SettingsError, match=r"RANKER_SERVE_PORT: .*enableServiceLinks: false"):
        Settings.from_environment({**given, "RANKER_SERVE_PORT": "tcp://10.0.0.1:80"})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("FORWARDED_ALLOW_IPS", "proxy", "not an address or network"),
        ("CORS_ORIGINS", "app.example.com", "is not an origin"),
        ("ROOT_PATH", "ranker/", "pattern"),
    ],
)
def test_wrong_settings_are_named(name, value, text):
    with pytest.raises(SettingsError, match=rf"RANKER_SERVE_{name}: .*{text}"):
        Settings.from_environment({"RANKER_SERVE_ARTIFACT": "a", f"RANKER_SERVE_{name}": value})


def test_every_route_begins_with_a_name_that_no_prefix_may_have(url):
    paths = CLIENT.get(f"{url}/openapi.json").json()["paths"]
    assert {path.split("/")[1] for path in paths} | {"docs", "openapi.json", "admin", "console", "metrics"} == set(
        ROUTES
    )
    for name in ROUTES:
        with pytest.raises(SettingsError, match=rf"root_path cannot be /{name}/x: the service has routes of its own"):
            Settings.from_environment({"RANKER_SERVE_ARTIFACT": "a", "RANKER_SERVE_ROOT_PATH": f"/{name}/x"})
