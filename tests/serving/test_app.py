"""Through HTTP: a real server process."""

import json

import numpy as np
import pyarrow as pa
import pytest

from ranker.engines import OnnxRuntime
from tests.serving.asking import CLIENT, documented, post
from tests.serving.conftest import serving
from tests.serving.protocol.formats.streams import ARROW, sent, table_of


def changed(body, **candidates):
    return {**body, "candidates": {**body["candidates"], **candidates}}


def problems(url, body):
    answer = post(url, body)
    assert answer.status_code == 422, answer.text
    return {problem["field"]: problem["reason"] for problem in answer.json()["detail"]}


def rows_of(body):
    names = list(body["candidates"])
    rows = zip(*body["candidates"].values(), strict=True)
    return {**body, "candidates": [dict(zip(names, row, strict=True)) for row in rows]}


def test_scores_are_the_engines_and_the_order_is_the_fusions(url, body, artifact):
    answer = post(url, body).json()
    packed = artifact.encoder.encode({name: [v] for name, v in body["context"].items()}, body["candidates"])
    scores = OnnxRuntime(artifact.model_path).score(packed)
    fused = scores @ np.array([1.0, 2.0, 1.0])
    order = np.argsort(-fused, kind="stable")
    assert answer["ids"] == [body["candidates"]["item"][i] for i in order]
    np.testing.assert_allclose(answer["fused"], fused[order], atol=1e-6)
    for i, task in enumerate(("click", "buy", "watch")):
        np.testing.assert_allclose(answer["scores"][task], scores[order, i], atol=1e-5)
    assert answer["model_version"] == 1
    assert answer["fusion"]["parameters"]["share"] == {"click": 1.0, "buy": 2.0, "watch": 1.0}


def test_rows_rank_as_columns_do(url, body):
    assert post(url, rows_of(body)).json() == post(url, body).json()


def test_formats_are_agreed_on_by_headers(url, body):
    def ask(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return documented(CLIENT.post(f"{url}/rank", content=json.dumps(body), headers=named))

    expected = ask().json()
    rows = ask(accept="application/json; layout=rows")
    assert rows.headers["content-type"] == "application/json; layout=rows"
    assert [row["id"] for row in rows.json()["candidates"]] == expected["ids"]
    stream = CLIENT.post(f"{url}/rank", content=sent(table_of(body)), headers={"Content-Type": ARROW, "Accept": ARROW})
    assert stream.headers["content-type"] == ARROW
    assert pa.ipc.open_stream(stream.content).read_all()["id"].to_pylist() == expected["ids"]
    for status, headers in ((415, {"content_type": "text/csv"}), (406, {"accept": "text/csv"})):
        refused = ask(**headers)
        assert refused.status_code == status
        assert ARROW in refused.json()["detail"][0]["reason"]
    wrong = CLIENT.post(f"{url}/rank", content=b"ARROW1", headers={"Content-Type": ARROW, "Accept": ARROW})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/json")


def test_top_k_is_the_head_of_the_whole(url, body):
    whole, head = post(url, body).json(), post(url, {**body, "top_k": 3}).json()
    assert head["ids"] == whole["ids"][:3]
    assert head["scores"]["buy"] == whole["scores"]["buy"][:3]
    assert post(url, {**body, "top_k": 1000}).json()["ids"] == whole["ids"]


def test_equal_candidates_keep_their_order(url, body):
    same = {name: [values[0]] * 5 for name, values in body["candidates"].items()}
    same["item"] = [body["candidates"]["item"][0]] * 5
    answer = post(url, {**body, "candidates": same}).json()
    assert len(set(answer["fused"])) == 1


def test_another_fusion_and_other_parameters(url, body):
    answer = post(url, {**body, "fusion": {"name": "rank_bucket", "parameters": {"weight": {"buy": 3}}}}).json()
    assert answer["fusion"]["name"] == "rank_bucket"
    click = post(url, {**body, "fusion": {"parameters": {"share": {"buy": 0, "watch": 0}}}}).json()
    assert click["fused"] == pytest.approx(click["scores"]["click"])
    assert click["fused"] == sorted(click["fused"], reverse=True)


def test_missing_and_unseen_values_are_ranked(url, body):
    context = dict.fromkeys(body["context"])
    answer = post(url, {"context": context, "candidates": changed(body, item=list(range(900, 920)))["candidates"]})
    assert answer.status_code == 200
    assert sorted(answer.json()["ids"]) == list(range(900, 920))


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"colour": [1] * 20}, "candidates.colour", "is unknown"),
        ({"lenght": [1] * 20}, "candidates.lenght", "did you mean 'length'"),
        ({"length": [1.0] * 19}, "candidates.length", "has 19 values, but item has 20"),
        ({"item": ["x"] * 20}, "candidates.item.0", "valid integer"),
        ({"length": [*[1.0] * 7, "long", *[1.0] * 12]}, "candidates.length.7", "valid number"),
        ({"vector": [[1.0, 2.0]] * 20}, "candidates.vector.0", "at least 3 items"),
        ({"item": [1.5] * 20}, "candidates.item.0", "valid integer"),
        ({"item": [2**70] * 20}, "candidates.item.0", f"less than 9223372036854775808, got {2**70}"),
        ({"tags": [3] * 20}, "candidates.tags.0", "valid string"),
    ],
)
def test_bad_columns_are_named(url, body, change, field, reason):
    found = problems(url, changed(body, **change))
    assert reason in found[field]


def test_a_bad_value_is_named_by_its_row_in_rows_too(url, body):
    by_rows = rows_of(body)
    by_rows["candidates"][7]["length"] = "long"
    assert "valid number" in problems(url, by_rows)["candidates.7.length"]
    del by_rows["candidates"][4]["item"]
    assert problems(url, by_rows) == {"candidates.4.item": "is required"}


def test_missing_features_are_named(url, body):
    without = {n: v for n, v in body["candidates"].items() if n != "length"}
    assert problems(url, {**body, "candidates": without}) == {"candidates.length": "is required"}
    context = {n: v for n, v in body["context"].items() if n != "user"}
    assert problems(url, {**body, "context": context}) == {"context.user": "is required"}
    assert problems(url, {"candidates": body["candidates"]}) == {"context": "is required"}


@pytest.mark.parametrize("empty", [[], None])
def test_no_candidates(url, body, empty):
    candidates = [] if empty == [] else {name: [] for name in body["candidates"]}
    assert problems(url, {**body, "candidates": candidates}) == {
        "candidates": "must hold at least one candidate, got none"
    }


def test_too_many_candidates(url, body):
    many = {name: values * 6 for name, values in body["candidates"].items()}
    assert problems(url, {**body, "candidates": many}) == {"candidates": "may hold at most 100 candidates, got 120"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"context": NaN}'])
def test_what_is_no_request(url, text):
    assert "body" in problems(url, text)


def test_nan_in_a_column_is_refused(url, body):
    text = json.dumps(body).replace('"length": [', '"length": [NaN, ', 1)
    assert "NaN" in problems(url, text)["body"]


@pytest.mark.parametrize(
    ("fusion", "reason"),
    [
        ({"name": "additve"}, "additive"),
        ({"parameters": {"shares": 1}}, "share"),
        ({"parameters": {"share": {"clik": 1}}}, "click"),
        ({"parameters": {"share": 1000}}, "[-100, 100]"),
    ],
)
def test_a_wrong_fusion_lists_what_is_valid(url, body, fusion, reason):
    assert reason in problems(url, {**body, "fusion": fusion})["fusion"]


@pytest.mark.parametrize(
    ("change", "field"), [({"top_k": 0}, "top_k"), ({"topk": 3}, "topk"), ({"fusion": 3}, "fusion"), ({"": 3}, '""')]
)
def test_other_fields_are_checked(url, body, change, field):
    assert field in problems(url, {**body, **change})


def test_the_docs_example_works_as_pasted(url):
    document = CLIENT.get(f"{url}/openapi.json").json()
    content = document["paths"]["/rank"]["post"]["requestBody"]["content"]["application/json"]
    answer = post(url, content["example"])
    assert answer.status_code == 200
    assert len(answer.json()["ids"]) == 3
    assert "context" in content["schema"]["properties"]
    assert CLIENT.get(f"{url}/docs").status_code == 200


def test_values_that_overflow_the_model_are_refused(url, body):
    vectors = list(body["candidates"]["vector"])
    vectors[3] = [0.0, -1e38, 1e13]
    found = problems(url, changed(body, vector=vectors))
    assert list(found) == ["candidates.vector.3"]
    assert found["candidates.vector.3"].startswith("must be a vector of numbers of at most 1e+12 in size, got [")


def test_health_and_model(url):
    assert CLIENT.get(f"{url}/health/live").json() == {"status": "live"}
    assert CLIENT.get(f"{url}/health/ready").json() == {"status": "ready", "model_version": 1}
    model = CLIENT.get(f"{url}/model").json()
    assert model["tasks"] == ["click", "buy", "watch"]
    assert model["schema"]["candidate"]["length"]["transform"] == "log1p"
    assert model["fusions"]["additive"]["parameters"]["share"]["high"] == 100


def test_wrong_routes_and_methods_are_named_as_all_problems_are(url):
    wrong, missing = CLIENT.get(f"{url}/rank"), CLIENT.get(f"{url}/nothing")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json() == {"detail": [{"field": "GET /rank", "reason": "Method Not Allowed"}]}
    assert missing.status_code == 404
    assert missing.json() == {"detail": [{"field": "GET /nothing", "reason": "Not Found"}]}


def test_of_very_many_problems_the_first_are_listed(url, body):
    wild = {f"k{i}": 1 for i in range(2000)}
    many = {**body, **wild}, changed(body, length=["x"] * 50_000)  # too many to be looked at
    for spoilt, count in (({**body, "candidates": [wild]}, 101), *((each, 1) for each in many)):
        answer = post(url, spoilt)
        assert answer.status_code == 422
        assert len(answer.json()["detail"]) == count
        assert (answer.json()["detail"][-1]["reason"] == "has more problems than these 100") == (count > 1)


@pytest.mark.parametrize("where", ["body", "candidates", "fusion"])
def test_names_as_long_as_a_body_do_not_come_back(url, body, where):
    name = "k" * 1_000_000
    fusion = {"fusion": {"parameters": {name: 1}}} if where == "fusion" else {}
    spoilt = changed(body, **{name: []}) if where == "candidates" else {**body, **(fusion or {name: 1})}
    assert len(post(url, spoilt).content) < 10_000
    assert problems(url, spoilt)


def fused_by(answer, place):
    told = answer["explanations"]
    return told["baseline"][place] + sum(values[place] for values in told["contributions"].values())


def test_every_returned_item_is_explained(url, body, artifact):
    answer = post(url, {**body, "top_k": 6, "explain": True}).json()
    told = answer["explanations"]
    tasks = list(artifact.schema.tasks)
    for part in (told["contributions"], told["rank_without"]):
        assert list(part) == tasks
        assert all(len(values) == 6 for values in part.values())
    for place in range(6):  # additive: baseline and contributions add up
        assert fused_by(answer, place) == pytest.approx(answer["fused"][place], abs=1e-9)
    assert told["rules"] == {}


@pytest.mark.parametrize("task", ["click", "buy", "watch"])
def test_the_rank_without_an_objective_is_the_rank_with_its_weight_at_zero(url, body, task):
    answer = post(url, {**body, "explain": True}).json()
    without = post(url, {**body, "fusion": {"parameters": {"share": {task: 0}}}}).json()["ids"]
    items = body["candidates"]["item"]
    assert len(set(items)) < len(items)  # an item that stands twice has two places
    places = {item: sorted(i + 1 for i, other in enumerate(without) if other == item) for item in without}
    found = {item: [] for item in without}
    for item, rank in zip(answer["ids"], answer["explanations"]["rank_without"][task], strict=True):
        found[item].append(rank)
    assert {item: sorted(ranks) for item, ranks in found.items()} == places


def test_a_number_explains_so_many_of_the_best(url, body):
    whole, few = post(url, {**body, "explain": True}).json(), post(url, {**body, "explain": 3}).json()
    assert few["ids"] == whole["ids"]
    assert few["explanations"]["baseline"] == whole["explanations"]["baseline"][:3]
    assert few["explanations"]["rank_without"]["buy"] == whole["explanations"]["rank_without"]["buy"][:3]
    assert "explanations" not in post(url, body).json()
    assert "explanations" not in post(url, {**body, "explain": False}).json()


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "yes", [1], None])
def test_what_explain_takes_is_said(url, body, wrong):
    reason = problems(url, {**body, "explain": wrong})["explain"]
    assert reason.startswith("must be true, false, or a whole number of at least 1")
    assert repr(wrong) in reason


@pytest.fixture(scope="module")
def middle(artifact):
    """The median score of each task in the golden request."""
    return {task: float(np.median(scores)) for task, scores in artifact.golden[0].scores.items()}


@pytest.fixture(scope="module")
def several(write_artifact, tmp_path_factory, middle):
    """A server of an artifact with two more fusions, one of them with rules."""
    likely = {
        "options": {
            "name": "powered_product",
            "parameters": {"beta": {"buy": 2.0}},
            "rules": {"old": {"kind": "boost", "where": "length > 20", "multiply": 3.0}},
        }
    }
    text = {
        "options": {
            "name": "expression",
            "options": {"formula": "click + w * buy", "parameters": {"w": {"default": 2, "low": 0, "high": 9}}},
        }
    }
    tree = {  # buy <= its middle ? click <= its middle ? -1 : 0 : 2
        "feature": [1, 0],
        "threshold": [middle["buy"], middle["click"]],
        "missing_left": [False, False],
        "left": [1, -1],
        "right": [-3, -2],
        "value": [-1.0, 0.0, 2.0],
    }
    learnt = {
        "options": {"name": "learned", "options": {"label": "click", "features": ["length"]}},
        "state": {"formula": {"linear": {"bias": 0, "score": [0, 0, 0], "log": [0, 0, 0]}, "trees": [tree]}},
    }
    artifact = write_artifact(tmp_path_factory.mktemp("several"), likely=likely, text=text, learnt=learnt)
    with serving(artifact.folder) as address:
        yield address


def test_a_named_fusion_is_used_said_and_explained(several, body):
    answer = post(several, {**body, "fusion": {"name": "likely"}, "explain": True}).json()
    assert (answer["fusion"]["name"], answer["fusion"]["formula"]) == ("likely", "powered_product")
    assert answer["fusion"]["parameters"]["beta"] == {"click": 1.0, "buy": 2.0, "watch": 1.0}
    by_item = dict(zip(body["candidates"]["item"], body["candidates"]["length"], strict=True))
    held = answer["explanations"]["rules"]["old"]
    assert True in held
    assert False in held
    assert set(by_item) == set(answer["ids"])
    changed = post(several, {**body, "fusion": {"name": "text", "parameters": {"w": 0}}}).json()
    assert changed["fusion"] == {"name": "text", "formula": "expression", "parameters": {"w": 0.0}}
    np.testing.assert_allclose(changed["fused"], changed["scores"]["click"], atol=1e-6)
    assert post(several, {**body, "fusion": {"name": "additive"}}).json()["fusion"]["name"] == "additive"
    assert post(several, body).json()["fusion"]["name"] == "default"


def test_a_learned_fusion_is_served_and_moved(several, body, middle):
    answer = post(several, {**body, "fusion": {"name": "learnt"}, "explain": True}).json()
    scores = {name: np.array(values) for name, values in answer["scores"].items()}
    expected = np.where(scores["buy"] > middle["buy"], 2.0, np.where(scores["click"] > middle["click"], 0.0, -1.0))
    assert len(set(expected)) == 3
    np.testing.assert_array_equal(answer["fused"], expected)
    explained = answer["explanations"]
    # The tree reads buy and click; at the middle of both it gives -1.
    assert explained["baseline"] == [-1.0] * len(expected)
    given = {name: np.array(values) for name, values in explained["contributions"].items()}
    np.testing.assert_allclose(sum(given.values()), expected + 1, atol=1e-6)
    np.testing.assert_array_equal(given["watch"], 0.0)
    buy, click = scores["buy"] > middle["buy"], scores["click"] > middle["click"]
    # Shapley values of f(buy, click): half of what each adds alone, half of what it adds to the other.
    of_buy = np.where(buy, np.where(click, (3 + 2) / 2, 3), 0)
    np.testing.assert_allclose(given["buy"], of_buy, atol=1e-6)
    moved = post(several, {**body, "fusion": {"name": "learnt", "parameters": {"share": {"watch": 1.0}}}}).json()
    by_id = sorted(zip(moved["fused"], moved["scores"]["watch"], strict=True))
    assert all(abs((fused - watch) - round(fused - watch)) < 1e-6 for fused, watch in by_id)
    assert "label: is required" in problems(several, {**body, "fusion": {"name": "learned"}})["fusion"]


def test_an_unknown_fusion_lists_all_that_a_request_may_name(several, body):
    reason = problems(several, {**body, "fusion": {"name": "likly"}})["fusion"]
    assert reason.startswith("no fusion is named 'likly'; did you mean 'likely'?")
    for name in ("default", "likely", "text", "rank_bucket", "reciprocal_rank"):
        assert name in reason
    assert "percentile" not in reason  # without a population it cannot be had


def test_wrong_parameters_of_a_named_fusion_list_its_own(several, body):
    def reason(name, **parameters):
        return problems(several, {**body, "fusion": {"name": name, "parameters": parameters}})["fusion"]

    assert "[0, 9]" in reason("text", w=10)
    assert "(known: w)" in reason("text", v=1)
    assert "(known: factor, beta, alpha)" in reason("likely", share=1)
    assert "(known: click, buy, watch)" in reason("likely", beta={"clik": 1})
    assert "[0, 5]" in reason("likely", beta=-1)


def test_the_model_page_lists_every_choice_with_values_and_bounds(several):
    fusions = CLIENT.get(f"{several}/model").json()["fusions"]
    assert {"default", "likely", "text", "additive", "rank_power"} <= set(fusions)
    assert not {"percentile", "expression"} & set(fusions)
    assert fusions["likely"]["formula"] == "powered_product"
    assert fusions["likely"]["parameters"]["beta"]["value"]["buy"] == 2.0
    assert fusions["text"]["parameters"]["w"] == {
        "value": 2.0,
        "low": 0.0,
        "high": 9.0,
        "integer": False,
        "per_objective": False,
        "description": "w of the formula.",
    }
    assert fusions["likely"]["rules"]["old"]["multiply"] == 3.0
