"""Re-ranking through a real service: the same list in all formats, within its constraints, or saying which gave way."""

import io
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.engines import OnnxRuntime
from ranker.inference import Model
from serving.features.items import ItemSource
from serving.protocol.formats import ARROW
from serving.ranking.ranker import Ranker
from tests.artifacts import shop_log
from tests.serving.asking import CLIENT, answered, documented, post
from tests.serving.conftest import serving
from tests.serving.fuzzing import FORMATS
from tests.serving.protocol.formats.streams import FROM_ARROW, sent, table_of

RERANK = {
    "diverse": {"kind": "mmr", "of": ["tags", "vector"], "lambda": 0.6},
    "vectors": {"kind": "dpp", "of": "vector", "theta": 0.8, "first": 5},
    "items": {"kind": "spread", "of": "item", "window": 3},
    "long": {"kind": "quota", "where": "length > 20", "at_least": 2, "of_first": 6},
    "pins": {"kind": "fixed"},
}
ROWS = "application/json; layout=rows"


@pytest.fixture(scope="module")
def reranking(write_artifact, tmp_path_factory):
    fusion = {"parameters": {"share": {"buy": 2.0}}, "rerank": RERANK}
    spread = {"options": {"rerank": {"items": RERANK["items"]}}}
    return write_artifact(tmp_path_factory.mktemp("reranking"), fusion=fusion, spread=spread)


@pytest.fixture(scope="module")
def service(reranking, tmp_path_factory) -> Iterator[str]:
    groups = {"bold": {"share": 1.0, "fusion": {"rerank": {"diverse": {"lambda": 0.1}, "items": False}}}}
    experiment = {"name": "bolder", "header": "X-User", "groups": groups}
    file = tmp_path_factory.mktemp("models") / "models.yaml"
    file.write_text(json.dumps({"models": {"main": {"artifact": str(reranking.folder)}}, "experiment": experiment}))
    with serving("--models", file) as address:
        yield address


@pytest.fixture(scope="module")
def model(reranking) -> Model:
    return Model.load(reranking.folder, engine="onnxruntime")


def asked(service, request, accept="application/json", form=FORMATS[0]):
    body = form.write(form.shape(request))
    return documented(
        CLIENT.post(f"{service}/rank", content=body, headers={"Content-Type": form.content_type, "Accept": accept})
    )


def test_all_formats_give_the_same_list_and_explanations(service, body):
    request = {**body, "top_k": 8, "explain": True, "fusion": {"rerank": {"pins": {"candidates": {"3": 2}}}}}
    expected = asked(service, request).json()
    assert list(expected["explanations"]["moved_by"]) == list(RERANK)
    assert any(any(moved) for moved in expected["explanations"]["moved_by"].values())
    assert expected["fusion"]["rerank"]["diverse"] == {"kind": "mmr", "lambda": 0.6, "first": 20, "consider": 200}
    assert expected["reranking"]["places"] == 8
    assert expected["reranking"]["distance"].keys() == {"tags, vector", "vector", "item"}
    facts = {name: expected[name] for name in ("fusion", "reranking")}
    for form in FORMATS:
        assert asked(service, request, form=form).json() == expected
        rows = asked(service, request, ROWS, form).json()
        assert {name: rows[name] for name in facts} == facts
        assert [row["id"] for row in rows["candidates"]] == expected["ids"]
        for name, moved in expected["explanations"]["moved_by"].items():
            assert [row["explanation"]["moved_by"][name] for row in rows["candidates"]] == moved
        table = pa.ipc.open_stream(io.BytesIO(asked(service, request, ARROW, form).content)).read_all()
        told = json.loads(table.schema.metadata[b"ranking"])
        assert {name: told[name] for name in facts} == facts
        assert table["id"].to_pylist() == expected["ids"]
        for name, moved in expected["explanations"]["moved_by"].items():
            assert table[f"moved_by_{name}"].to_pylist() == moved


def test_moves_lead_from_the_fused_rank_to_the_served_one(service, body):
    answer = asked(service, {**body, "explain": True}).json()
    plain = asked(service, {**body, "fusion": {"rerank": False}, "explain": True}).json()
    assert "reranking" not in plain
    assert plain["explanations"]["moved_by"] == {}
    assert "rerank" not in plain["fusion"]
    assert plain["fused"] == sorted(plain["fused"], reverse=True)
    moved = np.sum(list(answer["explanations"]["moved_by"].values()), axis=0)
    before = np.arange(len(moved)) + moved
    np.testing.assert_allclose(np.array(plain["fused"])[before], answer["fused"], atol=1e-12)
    fused = answer["reranking"]["fused"]
    assert fused["before"] == pytest.approx(np.mean(plain["fused"][:10]))
    assert fused["after"] == pytest.approx(np.mean(answer["fused"][:10]))
    assert fused["lost"] == pytest.approx(fused["before"] - fused["after"])
    assert fused["lost"] > 0


def drawn(random: np.random.Generator, body: dict) -> dict:
    """A request for some of the candidates, some of them twice, with random parameters of the steps."""
    count = int(random.integers(1, 20))
    chosen = random.integers(0, random.choice([3, 20]), count).tolist()
    candidates = {name: [values[i] for i in chosen] for name, values in body["candidates"].items()}
    change = {
        "diverse": {"lambda": float(random.random()), "first": int(random.integers(1, 30))},
        "vectors": bool(random.integers(2)) and {"theta": float(random.random() * 0.9)},
        "items": {"window": int(random.integers(2, 6)), "at_most": int(random.integers(1, 3))},
        "long": {"at_least": int(random.integers(0, 5))},
    }
    if random.integers(2):
        change["pins"] = {"candidates": {str(candidates["item"][0]): int(random.integers(1, count + 3))}}
    return {**body, "candidates": candidates, "explain": True, "fusion": {"rerank": change}}


def test_lists_are_within_their_constraints_or_say_which_gave_way(service, body, model):
    random = np.random.default_rng(0)
    gave_way: dict[str, int] = {}
    for number in range(60):
        request = drawn(random, body)
        answer = asked(service, request, form=FORMATS[number % 3]).json()
        change, ids = request["fusion"]["rerank"], answer["ids"]
        assert sorted(ids) == sorted(request["candidates"]["item"])
        window, most = change["items"]["window"], change["items"]["at_most"]
        over = any(ids[i : i + window].count(one) > most for i in range(len(ids)) for one in ids[i : i + window])
        assert over == ("items" in answer["reranking"]["gave_way"])
        # Pins are declared last, so they give way; the quota gives way to the spread alone.
        pins = change.get("pins", {"candidates": {}})["candidates"]
        held = all(slot <= len(ids) and str(ids[slot - 1]) == name for name, slot in pins.items())
        assert held or "pins" in answer["reranking"]["gave_way"]
        for name in answer["reranking"]["gave_way"]:
            gave_way[name] = gave_way.get(name, 0) + 1
        offline = model.rank(request["context"], request["candidates"], fusion=request["fusion"], explain=True)
        assert offline.ids == ids
        assert offline.reranking.facts()["gave_way"] == answer["reranking"]["gave_way"]
    assert gave_way.keys() == {"items", "long", "pins"}


@pytest.mark.parametrize(
    ("rerank", "reason"),
    [
        ({"diverse": {"lambda": 1.5}}, "rerank.diverse: lambda must be a number in [0, 1], got 1.5"),
        ({"diverse": {"lamda": 0.5}}, "rerank.diverse: mmr has no parameter 'lamda'; did you mean 'lambda'?"),
        ({"divers": False}, "rerank: the fusion has no re-ranking step 'divers'; did you mean 'diverse'?"),
        ({"pins": {"candidates": {"3": 0}}}, "rerank.pins: the slot of '3' must be a whole number in [1, 100], got 0"),
        ({"pins": {"candidates": {"3": 1, "4": 1}}}, "rerank.pins: slots must be distinct, got [1, 1]"),
        ({"pins": {"slots": [1]}}, "rerank.pins: fixed has no parameter 'slots'"),
        ({"items": {"window": None}}, "rerank.items: window must be a whole number in [2, 100], got None"),
        ({"items": {"window": 2.5}}, "rerank.items: window must be a whole number in [2, 100], got 2.5"),
        ("no", "must be true, false, or an object by step"),
        ({"diverse": "no"}, "must be true, false, or an object by step"),
        ({str(i): False for i in range(200)}, "may have at most 100 keys, got 200"),
        ({"pins": {"candidates": {str(i): 1 for i in range(200)}}}, "may have at most 100 keys, got 200"),
    ],
)
def test_wrong_overrides_are_refused_by_name(service, body, rerank, reason):
    for form in FORMATS:
        answer = asked(service, {**body, "fusion": {"rerank": rerank}}, form=form)
        assert answer.status_code == 422
        (problem,) = answer.json()["detail"]
        assert problem["field"].startswith("fusion")
        assert reason in problem["reason"]


def test_garbage_in_overrides_is_an_answer_or_a_refusal(service, body):
    random = np.random.default_rng(1)
    wild = [
        None,
        True,
        -1,
        1e308,
        2**70,
        "x" * 5000,
        [],
        [[1]],
        {},
        {"lambda": {}},
        {"candidates": {"": 1}},
        {"slots": [1]},
    ]
    for _ in range(150):
        steps = random.choice([*RERANK, "other"], 2)
        change = {step: wild[random.integers(len(wild))] for step in steps}
        if random.integers(2):
            keys = ["lambda", "theta", "window", "at_most", "at_least", "of_first", "first", "consider", "candidates"]
            change = {step: {str(random.choice(keys)): value} for step, value in change.items()}
        answer = asked(service, {**body, "explain": 2, "fusion": {"rerank": change}}, form=FORMATS[random.integers(2)])
        assert answer.status_code in (200, 422), answer.text


def test_an_experiments_group_re_ranks_its_own_way(service, body):
    answer = documented(CLIENT.post(f"{service}/rank", json=body, headers={"X-User": "7"})).json()
    assert answer["experiment"]["group"] == "bold"
    assert answer["fusion"]["rerank"]["diverse"]["lambda"] == 0.1
    assert "items" not in answer["fusion"]["rerank"]
    same = asked(service, {**body, "fusion": {"rerank": {"diverse": {"lambda": 0.1}, "items": False}}}).json()
    assert same["ids"] == answer["ids"]


def test_named_fusions_have_their_own_steps_and_the_model_page_tells_bounds(service, body):
    told = CLIENT.get(f"{service}/model").json()["fusions"]
    assert list(told["default"]["rerank"]) == list(RERANK)
    mmr = told["default"]["rerank"]["diverse"]
    assert (mmr["lambda"], mmr["parameters"]["lambda"]["low"], mmr["parameters"]["lambda"]["high"]) == (0.6, 0.0, 1.0)
    assert list(told["spread"]["rerank"]) == ["items"]
    answer = post(service, {**body, "fusion": {"name": "spread"}}).json()
    assert list(answer["fusion"]["rerank"]) == ["items"]


def test_items_that_are_looked_up_are_re_ranked_as_if_sent(shop, write_artifact, tmp_path):
    log = shop_log()
    steps = {
        "tags": {"kind": "mmr", "of": "tags", "lambda": 0.3},
        "vector": {"kind": "dpp", "of": ["vector", "shelf"], "theta": 0.2, "first": 4},
        "pins": {"kind": "fixed", "candidates": {"sku-0003-é": 1}},
    }
    artifact = write_artifact(tmp_path / "a", **log, fusion={"rerank": steps})
    rows = [5, 0, 9, 3, 10, 1, 2, 4, 6, 8, 18]
    names = ("sku", "shelf", "tags", "similar", "length", "vector")
    items = {name: [log["columns"][name][row] for row in rows] for name in names}
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    source = ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    ranker = Ranker(artifact, OnnxRuntime(artifact.model_path), max_candidates=50, source=source)
    request = {"context": artifact.golden[0].context, "explain": True}
    by_id = json.loads(answered(ranker, {**request, "candidates": {"sku": items["sku"]}}))
    sent_whole = json.loads(answered(ranker, {**request, "candidates": items}))
    assert by_id.pop("unknown_ids") == []
    assert by_id == sent_whole
    assert by_id["ids"][0] == "sku-0003-é"
    streamed = answered(ranker, sent(table_of({**request, "candidates": items})), exchange=FROM_ARROW)
    assert json.loads(streamed) == sent_whole
    assert any(by_id["explanations"]["moved_by"]["tags"])
    unknown = json.loads(answered(ranker, {**request, "candidates": {"sku": ["nothing", *items["sku"]]}}))
    assert sorted(unknown["ids"]) == sorted(["nothing", *items["sku"]])
