"""JSON by rows; columns are what most other tests send and read."""

import json

import pytest

from ranker.engines import OnnxRuntime
from serving.protocol.errors import PROBLEMS, RequestError
from serving.protocol.formats import JSON, Exchange
from serving.ranking.ranker import Ranker
from tests.serving.asking import answered

ROWS = Exchange(writes=f"{JSON}; layout=rows")


@pytest.fixture(scope="module")
def service(shop):
    return Ranker(shop, OnnxRuntime(shop.model_path), max_candidates=1000)


def test_rows_say_what_columns_say(service, shop):
    request = {"context": shop.golden[0].context, "candidates": shop.golden[0].candidates}
    for explain in (False, 2, True):
        body = json.dumps({**request, "explain": explain}).encode()
        columns, rows = json.loads(answered(service, body)), json.loads(answered(service, body, exchange=ROWS))
        ranked = rows.pop("candidates")
        assert rows == {name: columns[name] for name in ("model", "model_version", "fusion", "experiment")}
        assert [row["id"] for row in ranked] == columns["ids"]
        assert [row["fused"] for row in ranked] == columns["fused"]
        for task, scores in columns["scores"].items():
            assert [row["scores"][task] for row in ranked] == scores
        explained = [row["explanation"] for row in ranked if "explanation" in row]
        assert explained == [row["explanation"] for row in ranked[: len(explained)]]
        told = columns.get("explanations", {"baseline": []})
        assert [each["baseline"] for each in explained] == told["baseline"]
        for task in shop.schema.tasks if explain else ():
            assert [each["contributions"][task] for each in explained] == told["contributions"][task]
            assert [each["rank_without"][task] for each in explained] == told["rank_without"][task]
        if explain:
            assert [each["rules"]["special"] for each in explained] == told["rules"]["special"]


def test_of_very_many_problems_the_first_are_told(service, shop):
    candidates = {name: values * 50 for name, values in shop.golden[0].candidates.items()}
    body = {"context": shop.golden[0].context, "candidates": {**candidates, "length": ["long"] * 1000}}
    with pytest.raises(RequestError) as error:
        answered(service, body)
    assert len(error.value.problems) == PROBLEMS + 1
    assert error.value.problems[-1] == {"field": "body", "reason": "has more problems than these 100"}


def test_a_column_that_stands_twice_is_named(service, shop):
    body = json.dumps({"context": shop.golden[0].context, "candidates": shop.golden[0].candidates})
    with pytest.raises(RequestError) as caught:
        answered(service, body.replace('"length": ', '"length": [1], "length": ').encode())
    assert caught.value.problems == [{"field": "candidates.length", "reason": "is a duplicate key"}]


def test_an_integer_beyond_64_bits_is_told_as_it_was_sent(service, shop):
    golden = shop.golden[0]
    for value in (18446744073709551616, -9223372036854775809, 10**30):
        shelf = [value, *golden.candidates["shelf"][1:]]
        body = {"context": {**golden.context, "user": value}, "candidates": {**golden.candidates, "shelf": shelf}}
        with pytest.raises(RequestError) as caught:
            answered(service, body)
        assert [problem["field"] for problem in caught.value.problems] == ["context.user", "candidates.shelf.0"]
        for problem in caught.value.problems:
            assert problem["reason"].endswith(f", got {value}")


def test_other_mistakes_beside_a_number_of_very_many_digits_are_told(service, shop):
    body = json.dumps({"context": shop.golden[0].context, "candidates": {"sku": 1}, "top_k": 7}).replace("7", "9" * 300)
    assert "candidates" in told(service, body)
    assert "is not valid JSON" in told(service, body.replace("9" * 300, "9" * 5000))


def told(service, body):
    with pytest.raises(RequestError) as caught:
        answered(service, body.encode())
    return str(caught.value)
