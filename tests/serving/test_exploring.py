"""Exploration through a real service: its seed is the request's id, and answers tell places and propensities."""

import io
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.engines import OnnxRuntime
from ranker.fusion.exploration import EXPLORATIONS, propensities
from ranker.inference import Model
from serving.features.items import ItemSource
from serving.protocol.formats import ARROW, Exchange
from serving.ranking.ranker import Ranker
from tests.artifacts import shop_log
from tests.serving.asking import CLIENT, answered, documented, post
from tests.serving.conftest import serving
from tests.serving.fuzzing import FORMATS, fuzz

EXPLORE = {"kind": "plackett_luce", "temperature": 0.3, "first": 6, "max_move": 4}
FACTS = {**EXPLORE, "relevance": "score"}
ROWS = "application/json; layout=rows"


@pytest.fixture(scope="module")
def exploring(write_artifact, tmp_path_factory):
    fusion = {"parameters": {"share": {"buy": 2.0}}, "explore": EXPLORE}
    swaps = {"options": {"explore": {"kind": "swap", "probability": 0.5}}}
    still = {"options": {"name": "multiplicative"}}
    return write_artifact(tmp_path_factory.mktemp("exploring"), fusion=fusion, swaps=swaps, still=still)


@pytest.fixture(scope="module")
def service(exploring, tmp_path_factory) -> Iterator[str]:
    groups = {
        "greedy": {"share": 0.5, "fusion": {"explore": False}},
        "warm": {"share": 0.5, "fusion": {"explore": {"temperature": 5, "first": 3}}},
    }
    experiment = {"name": "warmer", "header": "X-User", "groups": groups}
    file = tmp_path_factory.mktemp("models") / "models.yaml"
    file.write_text(json.dumps({"models": {"main": {"artifact": str(exploring.folder)}}, "experiment": experiment}))
    with serving("--models", file) as address:
        yield address


@pytest.fixture(scope="module")
def model(exploring) -> Model:
    return Model.load(exploring.folder, engine="onnxruntime")


def asked(service, request, request_id, accept="application/json", form=FORMATS[0]):
    headers = {"Content-Type": form.content_type, "Accept": accept, "X-Request-ID": request_id}
    return documented(CLIENT.post(f"{service}/rank", content=form.write(form.shape(request)), headers=headers))


def test_a_request_id_gives_the_same_list_in_all_formats_and_in_python(service, body, model):
    for request_id in ("first", "second", "a.b:c-7"):
        expected = asked(service, body, request_id).json()
        assert expected["fusion"]["explore"] == FACTS
        for form in FORMATS:
            assert asked(service, body, request_id, form=form).json() == expected
            rows = asked(service, body, request_id, ROWS, form).json()
            for name, field in (("id", "ids"), ("base_place", "base_place"), ("propensity", "propensity")):
                assert [row[name] for row in rows["candidates"]] == expected[field]
            content = asked(service, body, request_id, ARROW, form).content
            table = pa.ipc.open_stream(io.BytesIO(content)).read_all()
            for column, field in (("id", "ids"), ("base_place", "base_place"), ("propensity", "propensity")):
                assert table[column].to_pylist() == expected[field]
        here = model.rank(body["context"], body["candidates"], seed=request_id)
        assert here.ids == expected["ids"]
        assert here.fusion == expected["fusion"]
        frame = here.to_frame()
        assert frame["base_place"].tolist() == expected["base_place"]
        np.testing.assert_allclose(frame["propensity"], expected["propensity"])


def test_answers_tell_what_was_drawn(service, body):
    greedy = asked(service, {**body, "fusion": {"explore": False}}, "any").json()
    orders = set()
    for number in range(30):
        answer = asked(service, body, f"request-{number}").json()
        places = np.array(answer["base_place"])
        assert [greedy["ids"][place - 1] for place in places] == answer["ids"]
        assert np.abs(places - np.arange(1, len(places) + 1)).max() <= EXPLORE["max_move"]
        expected = propensities(EXPLORATIONS["plackett_luce"](**EXPLORE), np.array(greedy["fused"]), places - 1)
        np.testing.assert_allclose(answer["propensity"], expected, atol=1e-9)
        short = asked(service, {**body, "top_k": 4, "explain": 2}, f"request-{number}").json()
        assert short["ids"] == answer["ids"][:4]
        assert short["propensity"] == answer["propensity"][:4]
        orders.add(tuple(answer["ids"]))
    assert len(orders) > 20


def test_requests_without_an_id_are_each_drawn_by_the_one_they_get(service, body):
    answers = [post(service, body) for _ in range(8)]
    assert len({tuple(answer.json()["ids"]) for answer in answers}) > 3
    again = asked(service, body, answers[0].headers["x-request-id"])
    assert again.json() == answers[0].json()


def test_no_fields_without_exploration(service, body):
    for fusion in ({"explore": False}, {"name": "still"}):
        for accept in ("application/json", ROWS):
            answer = asked(service, {**body, "fusion": fusion}, "a", accept)
            assert not any(name in answer.text for name in ("propensity", "base_place", "explore"))
        content = asked(service, {**body, "fusion": fusion}, "a", ARROW).content
        assert "propensity" not in pa.ipc.open_stream(io.BytesIO(content)).read_all().schema.names


def test_nothing_known_has_no_places(write_artifact, tmp_path):
    log = shop_log()
    artifact = write_artifact(tmp_path / "a", **log, fusion={"explore": EXPLORE})
    names = ("sku", "shelf", "tags", "similar", "length", "vector")
    pq.write_table(pa.table({name: log["columns"][name][:4] for name in names}), tmp_path / "items.parquet")
    source = ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    ranker = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=50, source=source, drop_unknown=True)
    request = {"context": artifact.golden[0].context, "candidates": {"sku": ["nothing"]}}
    answer = json.loads(answered(ranker, request))
    assert answer["base_place"] == answer["propensity"] == answer["ids"] == []
    assert answer["fusion"]["explore"] == FACTS
    off = json.loads(answered(ranker, {**request, "fusion": {"explore": False}}))
    assert "propensity" not in off
    table = pa.ipc.open_stream(answered(ranker, request, exchange=Exchange(writes=ARROW))).read_all()
    assert (table.schema.field("base_place").type, table.schema.field("propensity").type) == (pa.int64(), pa.float64())


def test_a_request_or_a_group_changes_parameters(service, body):
    answer = asked(service, {**body, "fusion": {"explore": {"max_move": 1, "first": 2}}}, "a").json()
    assert answer["fusion"]["explore"] == {**FACTS, "max_move": 1, "first": 2}
    assert answer["propensity"][2:] == [1.0] * (len(answer["ids"]) - 2)
    assert asked(service, {**body, "fusion": {"explore": True}}, "a").json()["fusion"]["explore"] == FACTS
    groups = {}
    for user in range(20):
        answer = post(service, body, **{"X-User": str(user)}).json()
        groups[answer["experiment"]["group"]] = answer
    assert groups["warm"]["fusion"]["explore"] == {**FACTS, "temperature": 5, "first": 3}
    assert "explore" not in groups["greedy"]["fusion"]
    assert "propensity" not in groups["greedy"]


def test_named_fusions_have_their_own_and_the_model_page_tells_bounds(service, body):
    told = CLIENT.get(f"{service}/model").json()["fusions"]
    explore = told["default"]["explore"]
    assert {name: explore[name] for name in FACTS} == FACTS
    assert explore["parameters"]["temperature"]["low"] == 0.001
    assert explore["parameters"]["max_move"]["integer"] is True
    assert told["swaps"]["explore"]["kind"] == "swap"
    assert told["still"]["explore"] is None
    assert told["rank_power"]["explore"]["kind"] == "plackett_luce"
    answer = asked(service, {**body, "fusion": {"name": "swaps"}}, "a").json()
    assert answer["fusion"]["explore"] == {
        "kind": "swap", "probability": 0.5, "first": 10, "max_move": 1, "relevance": "score",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fusion", "reason"),
    [
        ({"explore": {"temperature": 0}}, "explore: temperature must be a number in [0.001, 100], got 0"),
        ({"explore": {"temprature": 1}}, "explore: plackett_luce has no parameter 'temprature'; did you mean"),
        ({"explore": {"first": None}}, "explore: first must be a whole number in [1, 100], got None"),
        ({"explore": {"kind": "swap"}}, "explore: plackett_luce has no parameter 'kind'"),
        ({"explore": "no"}, 'must be true, false, or an object of parameters, such as {"first": 5}'),
        ({"explore": 1}, "must be true, false, or an object of parameters"),
        ({"explore": {str(i): 1 for i in range(200)}}, "may have at most 100 keys, got 200"),
        ({"name": "still", "explore": True}, "explore: the fusion does not explore; only its config can add it"),
    ],
)
def test_wrong_overrides_are_refused_by_name(service, body, fusion, reason):
    for form in FORMATS:
        answer = asked(service, {**body, "fusion": fusion}, "a", form=form)
        assert answer.status_code == 422
        (problem,) = answer.json()["detail"]
        assert problem["field"].startswith("fusion")
        assert reason in problem["reason"]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_no_garbage_in_overrides_harms_the_service(service, body, form):
    few = {name: values[:3] for name, values in body["candidates"].items()}
    explore = {"temperature": 0.5, "first": 3, "max_move": 2}
    request = {"context": body["context"], "candidates": few, "explain": 2, "fusion": {"explore": explore}}
    found = fuzz(service, request, form, count=100)
    assert found.complaints == []
    assert found.statuses.keys() >= {200, 422}
