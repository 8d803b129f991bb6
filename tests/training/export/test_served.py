"""From a log to answers of a server: what a config says of requests holds when its artifact is served."""

import httpx
import numpy as np
import pytest

from ranker.artifact import load
from tests.serving.conftest import serving
from tests.training.conftest import CONFIG, quick
from training.commands.fit import fit

SCHEMA = {
    "candidate_id": "item_id",
    "context": {
        "user_id": {"kind": "categorical", "dimension": 4},
        "user_age": {"kind": "numeric", "required": False},
    },
    "candidate": {
        "item_id": {"kind": "categorical", "dimension": 4},
        "duration_s": {"kind": "numeric", "required": False},
        "tags": {"kind": "multi", "max_length": 3, "dimension": 4, "required": False},
        "shown": {"kind": "numeric", "column": "date"},
    },
    "tasks": CONFIG["schema"]["tasks"],
}


@pytest.fixture(scope="module")
def served(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    config = quick(folder, schema=SCHEMA, training={"epochs": 1, "batch_size": 1024})
    fit(config, log, output=folder / "out", progress=False).export()
    artifact = load(folder / "out")
    with serving(artifact.folder) as url:
        yield url, artifact.golden[0]


def asked(url, context, candidates):
    return httpx.post(f"{url}/rank", json={"context": context, "candidates": candidates})


def test_features_that_are_not_required_may_be_left_out(served):
    url, golden = served
    count = len(golden.candidates["item_id"])
    context = {"user_id": golden.context["user_id"]}
    candidates = {name: golden.candidates[name] for name in ("item_id", "date")}
    nulls = {"duration_s": [None] * count, "tags": [None] * count}
    expected = asked(url, {**context, "user_age": None}, {**candidates, **nulls})
    assert expected.status_code == 200
    rows = [dict(zip(candidates, values, strict=True)) for values in zip(*candidates.values(), strict=True)]
    for given in (candidates, rows, [{**rows[0], "tags": None}, *rows[1:]]):
        assert asked(url, context, given).json() == expected.json()
    whole = asked(url, golden.context, golden.candidates).json()
    assert whole["scores"] != expected.json()["scores"]
    order = [golden.candidates["item_id"].index(item) for item in whole["ids"]]
    for task, scores in golden.scores.items():
        np.testing.assert_allclose(whole["scores"][task], np.array(scores)[order], rtol=1e-4)


def test_the_server_says_which_features_may_be_left_out(served):
    url, golden = served
    columns = httpx.get(f"{url}/model").json()["requests"]
    assert columns["context"]["user_age"]["required"] is False
    assert {name: kind["required"] for name, kind in columns["candidates"].items()} == {
        "item_id": True,
        "duration_s": False,
        "tags": False,
        "date": True,
    }
    without = {name: values for name, values in golden.candidates.items() if name != "item_id"}
    assert asked(url, golden.context, without).json()["detail"] == [
        {"field": "candidates.item_id", "reason": "is required"}
    ]
