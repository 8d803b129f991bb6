"""Who gets in, and what strangers are told."""

import pytest
from pydantic import SecretStr

from serving.http.api_keys import Keys
from serving.settings import SettingsError
from tests.serving.asking import CLIENT, patiently, post
from tests.serving.conftest import server
from tests.serving.warm import ranker_serve

RANK, ADMIN = "the key of the shop front", "the key of the people on call"
OPEN = ("/health/live", "/health/ready")


@pytest.fixture(scope="module")
def closed(artifact, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "rank.txt"
    file.write_text(f"# the shop\n{RANK}\n\nanother key for somebody else\n")
    with server(artifact.folder, api_keys_file=file, admin_keys=ADMIN) as running:
        yield running.url


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("the key of the shop fronT"),
        bearer(RANK[:-1]),
        bearer(RANK + "x"),
        bearer(ADMIN),
        {"Authorization": "Bearer"},
        {"Authorization": RANK},
        {"Authorization": f"Basic {RANK}"},
    ],
)
def test_ranking_needs_its_key(closed, body, headers):
    refused = post(closed, body, **headers)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["detail"][0]["field"] == "header Authorization"


def test_each_key_opens_its_own_routes(closed, body):
    assert post(closed, body, **bearer(RANK)).status_code == 200
    assert post(closed, body, Authorization="bearer another key for somebody else").status_code == 200
    assert CLIENT.get(f"{closed}/admin/status").status_code == 401
    assert CLIENT.get(f"{closed}/admin/status", headers=bearer(RANK)).status_code == 401
    assert CLIENT.get(f"{closed}/admin/status", headers=bearer(ADMIN)).json()["default"] == "default"
    for path in ("/model", "/metrics"):
        assert CLIENT.get(f"{closed}{path}").status_code == 401
        assert CLIENT.get(f"{closed}{path}", headers=bearer(RANK)).status_code == 200
        assert CLIENT.get(f"{closed}{path}", headers=bearer(ADMIN)).status_code == 200
    assert all(CLIENT.get(closed + path).status_code == 200 for path in OPEN)


def test_without_the_setting_there_is_no_console(closed):
    for path in ("/console", "/console/main.js", "/admin/console", "/admin/console/requests", "/admin/console/model"):
        assert CLIENT.get(closed + path, headers=bearer(ADMIN)).status_code == 404
    assert CLIENT.post(f"{closed}/admin/console/rank", headers=bearer(ADMIN), json={}).status_code == 404


def test_requests_without_a_key_are_counted(closed, body):
    def counted():
        lines = CLIENT.get(f"{closed}/metrics", headers=bearer(ADMIN)).text.splitlines()
        name = 'ranker_requests_total{group="",model="",outcome="unauthorised",version=""}'
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = counted()
    for key in ({}, bearer(ADMIN)):
        assert post(closed, body, **key).status_code == 401
    CLIENT.get(f"{closed}/metrics")  # other routes are not counted
    assert counted() == before + 2


def test_strangers_get_no_docs(closed):
    assert {CLIENT.get(closed + path).status_code for path in ("/docs", "/redoc", "/openapi.json")} == {404}


def test_without_an_admin_key_there_are_no_admin_routes(url):
    assert CLIENT.get(f"{url}/admin/status").status_code == 404
    assert CLIENT.post(f"{url}/admin/reload").status_code == 404
    assert CLIENT.post(f"{url}/admin/rollback").status_code == 404
    assert not [path for path in CLIENT.get(f"{url}/openapi.json").json()["paths"] if "admin" in path]


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/rank", "/docs"])
def test_answers_carry_security_headers(url, path):
    headers = CLIENT.get(url + path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert ("content-security-policy" in headers) == (path != "/docs")


@pytest.mark.parametrize("name", ["abc-1.2:x_Y", "", "a b", "x" * 129, "a\tb"])
def test_a_request_id_comes_back_where_it_can_be_trusted(url, body, name):
    given = post(url, body, **{"X-Request-ID": name}).headers["x-request-id"]
    assert (given == name) == (name == "abc-1.2:x_Y")
    assert len(given) in (11, 16)


def test_requests_are_logged_as_asked(artifact, body):
    with server(artifact.folder, log_requests="all") as running:
        post(running.url, body, **{"X-Request-ID": "first"})
        post(running.url, {}, **{"X-Request-ID": "second"})

        def logged():
            return {line["request_id"]: line for line in running.log() if line["event"] == "request"}

        lines = patiently(lambda: {"first", "second"} <= logged().keys() and logged())
    assert (lines["first"]["status"], lines["first"]["path"]) == (200, "/rank")
    assert lines["second"]["status"] == 422
    assert lines["first"]["ms"] > 0


def test_keys_are_compared_whole():
    keys = Keys.read("KEYS", SecretStr("0123456789abcdef, fedcba9876543210"), None)
    assert keys.allow("Bearer fedcba9876543210")
    assert keys.allow("BEARER 0123456789abcdef")
    assert not keys.allow("Bearer 0123456789abcdeF")
    assert not keys.allow("Bearer 0123456789abcdef, fedcba9876543210")
    assert not Keys()
    assert not Keys().allow("Bearer ")


def test_keys_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(SettingsError, match="KEYS: holds a key of fewer than 16 characters"):
        Keys.read("KEYS", SecretStr("short"), None)
    with pytest.raises(SettingsError, match="KEYS: holds no key"):
        Keys.read("KEYS", SecretStr(" , "), None)
    with pytest.raises(SettingsError, match="KEYS_FILE: cannot be read"):
        Keys.read("KEYS", None, tmp_path / "nothing")


def test_a_service_without_its_keys_does_not_start(artifact, tmp_path):
    ended = ranker_serve(artifact.folder, "--api-keys-file", tmp_path / "nothing")
    assert ended.returncode == 1
    assert "RANKER_SERVE_API_KEYS_FILE: cannot be read" in ended.stderr
