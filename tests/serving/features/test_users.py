"""Users by id, from a real Redis that stops, freezes and comes back."""

import json
import signal
import time

import pytest

from ranker.engines import OnnxRuntime
from serving.features.circuit_breaker import FAILURES, PAUSE
from serving.features.users import Users, users_of
from serving.ranking.ranker import Ranker
from serving.settings import Settings, SettingsError
from tests.serving.asking import CLIENT, answered, load, patiently, post
from tests.serving.conftest import server
from tests.serving.protocol.formats.streams import ARROW, FROM_ARROW, problems, sent, table_of
from tests.serving.redis_server import RedisServer

ANNA = {"user": 3, "city": "Bern", "age": 31.5, "history": ["sku-0001-é", None], "unused": [1]}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    running.client.set("user:anna", json.dumps(ANNA))
    running.client.set("user:7", json.dumps({"user": 7}))
    running.client.set("user:odd", json.dumps({"user": "three", "city": "Köln", "age": 1e39, "history": [1]}))
    running.client.set("user:list", "[1]")
    running.client.set("user:text", "{")
    running.client.hset("user:hash", "city", "Bern")
    yield running
    running.stop()


def served(shop, url, timeout=0.5):
    return Ranker(shop, OnnxRuntime(shop.model_path), 100, users=Users(url, "user:", timeout, connections=2))


@pytest.fixture(scope="module")
def service(shop, redis):
    return served(shop, redis.url)


@pytest.fixture(scope="module")
def candidates(shop):
    return shop.golden[0].candidates


def ranked(service, **request):
    return json.loads(answered(service, request))


def test_a_users_features_are_those_stored(service, candidates):
    context = {name: ANNA[name] for name in ("user", "city", "age", "history")}
    expected = ranked(service, context=context, candidates=candidates)
    answer = ranked(service, user="anna", candidates=candidates)
    assert answer.pop("user") == {"id": "anna", "found": True}
    assert answer == expected
    stream = table_of({"user": "anna", "candidates": candidates})
    again = json.loads(answered(service, sent(stream), exchange=FROM_ARROW))
    assert again.pop("user") == {"id": "anna", "found": True}
    assert again == expected


def test_what_the_request_gives_comes_first_and_what_nobody_has_is_missing(service, candidates):
    given = {"city": "Zürich", "age": None}
    context = {"user": 3, "history": ANNA["history"], **given}
    answer = ranked(service, user="anna", context=given, candidates=candidates)
    assert answer["fused"] == ranked(service, context=context, candidates=candidates)["fused"]
    nothing = {"user": 7, "city": None, "age": None, "history": None}
    answer = ranked(service, user=7, candidates=candidates)
    assert answer["user"] == {"id": 7, "found": True}
    assert answer["fused"] == ranked(service, context=nothing, candidates=candidates)["fused"]


@pytest.mark.parametrize(
    ("name", "reason"), [("nobody", "unknown"), ("list", "invalid"), ("text", "invalid"), ("hash", "invalid")]
)
def test_without_features_defaults_are_used_and_it_is_said(service, candidates, name, reason):
    nothing = dict.fromkeys(("user", "city", "age", "history"))
    answer = ranked(service, user=name, candidates=candidates)
    assert answer.pop("user") == {"id": name, "found": False, "reason": reason}
    assert answer == ranked(service, context=nothing, candidates=candidates)


def test_stored_values_that_do_not_fit_are_missing_and_named(service, candidates):
    answer = ranked(service, user="odd", candidates=candidates)
    assert answer.pop("user") == {"id": "odd", "found": True, "invalid": ["user", "history", "age"]}
    context = {"user": None, "city": "Köln", "age": None, "history": None}
    assert answer == ranked(service, context=context, candidates=candidates)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": "anna", "context": {"age": "old"}}, "context.age"),
        ({"user": "anna", "context": {"aeg": 3}}, "context.aeg"),
        ({"user": ""}, "user"),
        ({"user": 1.5}, "user"),
        ({"user": None}, "context"),
        ({}, "context"),
    ],
)
def test_what_the_request_says_is_checked(service, candidates, change, field):
    body = {"candidates": candidates, **change}
    found = problems(service, json.dumps(body).encode(), FROM_ARROW._replace(reads="application/json"))
    assert found[0]["field"].startswith(field)
    assert found == problems(service, sent(table_of(body)), FROM_ARROW)


def test_a_service_without_users_says_so(shop, candidates):
    plain = Ranker(shop, OnnxRuntime(shop.model_path), 100)
    body = {"user": "anna", "context": shop.golden[0].context, "candidates": candidates}
    (problem,) = problems(plain, json.dumps(body).encode(), FROM_ARROW._replace(reads="application/json"))
    assert problem["field"] == "user"
    assert problem["reason"].startswith("is unknown")


def test_a_frozen_redis_costs_the_timeout_a_few_times_and_then_nothing(shop, redis, candidates):
    service = served(shop, redis.url, timeout=0.05)
    assert ranked(service, user="anna", candidates=candidates)["user"]["found"]
    redis.signal(signal.SIGSTOP)
    try:
        reasons = [ranked(service, user="anna", candidates=candidates)["user"]["reason"] for _ in range(12)]
    finally:
        redis.signal(signal.SIGCONT)
    assert reasons[:FAILURES] == ["timeout"] * FAILURES
    assert set(reasons[FAILURES:]) == {"unavailable"}
    time.sleep(PAUSE)
    assert ranked(service, user="anna", candidates=candidates)["user"] == {"id": "anna", "found": True}
    assert ranked(service, user="anna", candidates=candidates)["user"] == {"id": "anna", "found": True}


def test_keys_of_a_wrong_type_are_their_users_own_and_the_others_are_looked_up(service, candidates):
    for _ in range(3 * FAILURES):
        answer = ranked(service, user="hash", candidates=candidates)
        assert answer["user"] == {"id": "hash", "found": False, "reason": "invalid"}
    assert ranked(service, user="anna", candidates=candidates)["user"] == {"id": "anna", "found": True}


def test_settings_that_name_no_redis_are_refused():
    with pytest.raises(SettingsError, match="RANKER_SERVE_USERS: Redis URL must specify one of"):
        users_of(Settings(artifact="a", users="http://127.0.0.1"))
    assert users_of(Settings(artifact="a")) is None
    with pytest.raises(SettingsError, match="RANKER_SERVE_USERS_FILE: cannot be read: "):
        users_of(Settings(artifact="a", users_file="none"))
    with pytest.raises(ValueError, match="name users or users_file, not both"):
        Settings(artifact="a", users="redis://a", users_file="b")


def test_a_url_with_a_password_is_read_from_a_file(redis, tmp_path):
    (tmp_path / "users").write_text(f"{redis.url.replace('//', '//:a-password@')}\n")
    redis.client.config_set("requirepass", "a-password")
    try:
        users = users_of(Settings(artifact="a", users_file=tmp_path / "users", users_timeout_ms=1000))
        assert users.context("anna", {}, {}).facts == {"id": "anna", "found": True}
    finally:
        redis.client.execute_command("AUTH", "a-password")
        redis.client.config_set("requirepass", "")


def test_redis_stopped_and_started_under_load_is_no_error(shop, redis, candidates):
    body = {"user": "anna", "candidates": candidates}
    with server(shop.folder, users=redis.url, users_timeout_ms=500) as running:
        assert post(running.url, body).json()["user"] == {"id": "anna", "found": True}
        with load(running.url, body) as tally:
            time.sleep(0.3)
            redis.stop()
            patiently(lambda: post(running.url, body).json()["user"].get("reason") == "unavailable")
            patiently(lambda: running.logged("users are not looked up"))
            redis.start()
            redis.client.set("user:anna", json.dumps(ANNA))
            patiently(lambda: post(running.url, body).json()["user"]["found"])
        assert tally.statuses.keys() == {200}
        assert not tally.errors
        text = CLIENT.get(f"{running.url}/metrics").text
        assert 'ranker_users_total{outcome="found"}' in text
        assert 'ranker_users_total{outcome="unavailable"}' in text
        patiently(lambda: running.logged("users are looked up again"))
        said = [line["event"] for line in running.log()]
        assert said.index("users are not looked up") < said.index("users are looked up again")
        body = sent(table_of(body))
        stream = CLIENT.post(f"{running.url}/rank", content=body, headers={"Content-Type": ARROW})
        assert stream.json()["user"]["found"]
