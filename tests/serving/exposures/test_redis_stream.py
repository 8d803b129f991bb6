"""The log in a real Redis."""

import json
import signal

import numpy as np
import pytest
from redis.client import Pipeline

from serving.exposures import redis_stream as module
from serving.exposures.redis_stream import RedisStream
from serving.exposures.sinks import SinkError
from serving.settings import SettingsError
from tests.serving.asking import patiently
from tests.serving.conftest import server
from tests.serving.exposures.in_process import Logging, ranker_of
from tests.serving.exposures.logs import asked, sample
from tests.serving.exposures.samples import request
from tests.serving.redis_server import RedisServer

KEY = "ranker:exposures"


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _empty(redis):
    redis.client.delete(KEY)


def entries(redis):
    return [json.loads(fields[b"request"]) for _, fields in redis.client.xrange(KEY)]


def test_an_entry_is_a_request_with_its_rows(redis, shop):
    logging = Logging(ranker_of(shop), redis.url, features="all", salt="s")
    body = {"context": shop.golden[0].context, "candidates": shop.golden[0].candidates, "top_k": 4}
    answer = json.loads(logging.ask(body, "a"))
    logging.log.writer.start()
    logging.log.writer.close()
    (entry,) = entries(redis)
    assert entry["request_id"] == "a"
    assert (entry["item"], entry["fused"]) == (answer["ids"], answer["fused"])
    assert entry["place"] == [1, 2, 3, 4]
    for objective, scores in answer["scores"].items():
        assert np.array(entry[f"score.{objective}"], np.float32).tobytes() == np.array(scores, np.float32).tobytes()
    assert json.loads(entry["parameters"])["parameters"] == answer["fusion"]["parameters"]
    assert entry["context.age"] == shop.golden[0].context["age"]
    assert len(entry["candidate.tags"]) == 4


def test_the_stream_keeps_its_length_roughly(redis):
    stream = RedisStream(redis.url, KEY, 100, None)
    for i in range(20):
        stream.write([request(50 * i + k) for k in range(50)])
    assert 100 <= redis.client.xlen(KEY) < 400
    stream.close()


def test_all_of_a_part_is_added_or_none(redis):
    stream = RedisStream(redis.url, KEY, 100, None)
    redis.client.set(KEY, "no stream")
    with pytest.raises(SinkError, match=r"redis 127\.0\.0\.1:\d+ ranker:exposures: .*WRONGTYPE"):
        stream.write([request(0)])
    redis.client.delete(KEY)
    stream.write([request(0)])
    assert redis.client.xlen(KEY) == 1
    stream.close()


def test_an_outage_loses_nothing_that_the_queue_holds(redis, artifact, body):
    with server(artifact.folder, exposures=redis.url, exposures_flush=0.05) as running:
        asked(running.url, body, "before")
        patiently(lambda: redis.client.xlen(KEY) == 1)
        redis.stop()
        for number in range(10):
            asked(running.url, body, f"{number}")
        (said,) = patiently(lambda: running.logged("exposures not written"))
        assert "redis 127.0.0.1" in said["reason"]
        redis.start()
        patiently(lambda: sample(running.url, "ranker_exposures_requests_total") == 11)
        assert running.logged("exposures written again")
    assert [entry["request_id"] for entry in entries(redis)] == [f"{number}" for number in range(10)]


def test_a_frozen_redis_is_given_up_in_time(redis, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    stream = RedisStream(redis.url, KEY, 100, None)
    redis.signal(signal.SIGSTOP)
    try:
        with pytest.raises(SinkError, match="Timeout"):
            stream.write([request(0)])
    finally:
        redis.signal(signal.SIGCONT)
    stream.write([request(1)])
    assert "r1" in {entry["request_id"] for entry in entries(redis)}
    stream.close()


def test_a_request_that_is_sent_again_has_the_entry_of_before(redis, monkeypatch):
    stream = RedisStream(redis.url, KEY, 100, None)
    first, second = request(0), request(1)
    with monkeypatch.context() as patched:
        answered = Pipeline.execute

        def lost(pipeline):
            answered(pipeline)
            raise ConnectionError("before the answer came")

        patched.setattr(Pipeline, "execute", lost)
        with pytest.raises(SinkError, match="before the answer came"):
            stream.write([first])
    stream.write([first])
    stream.write([second])
    names = [fields[b"entry"] for _, fields in redis.client.xrange(KEY)]
    assert names[0] == names[1] != names[2]
    stream.close()


def test_a_password_is_never_shown(redis):
    stream = RedisStream("redis://user:secret@127.0.0.1:1/0", KEY, 10, None)
    assert stream.name == "redis 127.0.0.1:1 ranker:exposures"
    with pytest.raises(SinkError) as found:
        stream.write([request(0)])
    assert "secret" not in str(found.value)


@pytest.mark.parametrize("url", ["redis://host:port", "redis://:sec/ret@host:6379/0", "redis://:sec[ret@host/0"])
def test_a_bad_url_is_a_setting_and_not_shown(url):
    with pytest.raises(SettingsError, match="RANKER_SERVE_EXPOSURES") as found:
        module.RedisStream(url, KEY, 10, None)
    assert "sec" not in str(found.value)
