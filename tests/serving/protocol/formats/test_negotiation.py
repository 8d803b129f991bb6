import pytest

from serving.protocol.errors import Refusal
from serving.protocol.formats import JSON, WRITERS, Exchange, agreed
from tests.serving.protocol.formats.streams import ARROW

ROWS = f"{JSON}; layout=rows"


def test_json_where_nothing_is_said():
    assert agreed(None, None) == agreed(None, "*/*") == agreed("", "") == Exchange(JSON, JSON)


@pytest.mark.parametrize(
    ("content_type", "reads"),
    [
        ("application/json", JSON),
        ("Application/JSON; charset=UTF-8", JSON),
        (ARROW, ARROW),
        (f"{ARROW};x=1", ARROW),
    ],
)
def test_what_a_request_is_in(content_type, reads):
    assert agreed(content_type, None) == Exchange(reads, JSON)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "json", ";", "x" * 1001])
def test_other_requests_are_refused_with_what_there_is(content_type):
    with pytest.raises(Refusal) as refusal:
        agreed(content_type, None)
    assert (refusal.value.status, refusal.value.field) == (415, "header Content-Type")
    assert f"must be one of {JSON}, {ARROW}; got" in refusal.value.reason


@pytest.mark.parametrize(
    ("accept", "writes"),
    [
        (JSON, JSON),
        ("application/*", JSON),
        ("application/json;charset=utf-8", JSON),
        (ROWS, ROWS),
        ('application/json;layout="rows"', ROWS),
        (f"{JSON}, {ROWS}", JSON),
        (f"{ROWS}, {JSON}", ROWS),
        (f"{JSON};q=0.5, {ROWS}", ROWS),
        (ARROW, ARROW),
        (f"text/html, {ARROW};q=0.9, */*;q=0.8", ARROW),
        (f"{JSON};q=0.2, {ARROW};q=0.3", ARROW),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (f"{JSON};q=0, */*", ARROW),
        (f"{ARROW};q=0, {JSON};q=0, {ROWS};q=0.1", ROWS),
    ],
)
def test_what_an_answer_is_in(accept, writes):
    assert agreed(None, accept).writes == writes


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        f"{JSON}; layout=cells",
        f"{JSON};q=0",
        "*/*;q=0",
        f"{ARROW};q=nan",
        f"{JSON};q=high",
        ",",
        "x" * 9999,
    ],
)
def test_answers_that_nobody_writes_are_refused_with_what_there_is(accept):
    with pytest.raises(Refusal) as refusal:
        agreed(None, accept)
    assert (refusal.value.status, refusal.value.field) == (406, "header Accept")
    assert all(writer in refusal.value.reason for writer in WRITERS)
