"""What docs/serving.md shows is what the service takes and gives."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.schema import Schema
from tests.serving.asking import CLIENT, post
from tests.serving.conftest import server
from tests.serving.redis_server import RedisServer

DOCS = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
JSON_BLOCKS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL) if "..." not in block]
REQUESTS = [block for block in JSON_BLOCKS if "candidates" in block and "model_version" not in block]
ANSWERS = [block for block in JSON_BLOCKS if "model_version" in block]
PYTHON = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)


def documented():
    """A log with the columns that the page's examples have."""
    schema = Schema.model_validate(
        {
            "candidate_id": "item_id",
            "context": {
                "user_id": {"kind": "categorical"},
                "device": {"kind": "categorical"},
            },
            "candidate": {"item_id": {"kind": "categorical"}, "duration_s": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary"}, "like": {"kind": "binary"}, "buy": {"kind": "binary"}},
        }
    )
    random = np.random.default_rng(0)
    columns = {
        "user_id": random.integers(0, 9, 60),
        "device": np.array(["phone", "tablet", "tv"], dtype=object)[random.integers(0, 3, 60)],
        "item_id": random.integers(0, 9, 60),
        "duration_s": random.exponential(30, 60),
        **{task: random.integers(0, 2, 60) for task in ("click", "like", "buy")},
    }
    return {"schema": schema, "columns": columns}


@pytest.fixture(scope="module")
def url(write_artifact, tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    pq.write_table(pa.table({"item_id": [1, 2], "duration_s": [10.5, None]}), folder / "items.parquet")
    artifact = write_artifact(folder, **documented(), fusion={})
    redis = RedisServer(folder)
    name, value = re.search(r"redis-cli SET (\S+) '(.*)'", DOCS).groups()
    redis.client.set(name, value)
    try:
        with server(artifact.folder, items=folder / "items.parquet", users=redis.url) as running:
            yield running.url
    finally:
        redis.stop()


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_every_request_is_ranked(url, request_):
    answer = post(url, request_)
    assert answer.status_code == 200, answer.text
    answer = answer.json()
    assert answer.get("user", {"found": True})["found"]
    if list(request_["candidates"]) == ["item_id"]:
        assert answer["unknown_ids"] == [name for name in request_["candidates"]["item_id"] if name > 2]


def shape(value):
    """Names and kinds of an answer, without numbers and without the objectives of one model or another."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items() if name not in ("buy", "rules")}
    return [shape(value[0])] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_every_answer_is_of_the_shape_that_is_given(url, answer):
    request = REQUESTS[0]
    if "explanations" not in answer:
        request = {name: request[name] for name in ("context", "candidates")}
    accept = "application/json; layout=rows" if "candidates" in answer else "application/json"
    given = CLIENT.post(f"{url}/rank", json=request, headers={"Accept": accept}).json()

    assert shape(given) == shape(answer)


def test_there_are_examples_of_everything():
    assert len(REQUESTS) == 4
    assert len(ANSWERS) == 2
    assert len(PYTHON) == 1


@pytest.mark.parametrize("code", PYTHON)
def test_every_program_runs(url, code, capsys):
    names = {}
    exec(compile(code.replace("http://127.0.0.1:8000", url), "docs/serving.md", "exec"), names)
    assert names["ranking"].num_rows == 2
    assert capsys.readouterr().out.splitlines() == ["['id', 'fused', 'score_click', 'score_like', 'score_buy']", "1"]


def test_the_api_page_and_the_model_page_say_what_there_is(url):
    rank = CLIENT.get(f"{url}/openapi.json").json()["paths"]["/rank"]["post"]
    formats = CLIENT.get(f"{url}/model").json()["formats"]
    assert set(rank["requestBody"]["content"]) == set(formats["requests"])
    assert set(rank["responses"]["200"]["content"]) == set(formats["answers"])
    assert all(f"`{name}`" in DOCS for name in [*formats["requests"], *formats["answers"]])
    schema = rank["requestBody"]["content"]["application/json"]["schema"]
    assert {"user", "context", "candidates"} <= set(schema["properties"])
    assert len(schema["properties"]["candidates"]["anyOf"]) == 4
    model = CLIENT.get(f"{url}/model").json()
    assert (model["items"], model["users"]) == (2, True)
