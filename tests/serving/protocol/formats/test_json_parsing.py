"""JSON whose objects have each key once."""

import json

import pytest

from serving.protocol.errors import RequestError
from serving.protocol.formats.json_parsing import exactly, parsed


def told(text, where="body"):
    with pytest.raises(RequestError) as caught:
        parsed(text.encode(), where)
    return [(problem["field"], problem["reason"]) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('{"a": 1, "a": 1}', ["a"]),
        ('{"a":1,"a":1}', ["a"]),
        ('{"a" : 1 , "a"\n:1}', ["a"]),
        ('{"a": 1, "b": 2, "a": 3, "b": 4, "a": 5}', ["a", "b"]),
        (r'{"a": 1, "\u0061": 1}', ["a"]),
        ('{"": 1, "": 1}', [""]),
        ('{"context": {"u": 1, "u": 2}, "candidates": {"i": [1], "j": [1], "i": [2]}}', ["context.u", "candidates.i"]),
        ('{"candidates": [{"i": 1}, {"i": 1, "i": 2}]}', ["candidates.1.i"]),
        ('{"fusion": {"parameters": {"share": {"x": 1, "x": 2}}}}', ["fusion.parameters.share.x"]),
        ('{"candidates": {"t": ["12:30", ":", "\\":"], "i": [{"x": 1, "x": 1}]}}', ["candidates.i.0.x"]),
        ('[[], [[{"x": 1, "x": 1}]]]', ["1.0.0.x"]),
    ],
)
def test_a_key_that_stands_twice_is_named_by_its_path(text, fields):
    assert told(text) == [(field, "is a duplicate key") for field in fields]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "7",
        '{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}',
        '{"t": ["2024-01-31T12:30:15Z", "a:b", " :", ":", "\\":", "\\\\"], "a:b": 1, ":": 2, "a": 3}',
        '{"a"  :1, "A" : 2, "a ": [{"x": 1}, 2]}',
        "[" * 900 + "]" * 900,
    ],
)
def test_other_json_is_what_any_parser_makes_of_it(text):
    assert parsed(text.encode(), "body") == json.loads(text)


def test_what_is_no_json_is_named_by_where_it_stood():
    ((field, reason),) = told('{"a": NaN}', "metadata.request")
    assert (field, "is not valid JSON" in reason) == ("metadata.request", True)
    assert told('{"a": {"b": 1, "b": 1}}', "metadata.request") == [("metadata.request.a.b", "is a duplicate key")]


def test_integers_of_any_size_are_exact():
    assert exactly(b'{"a": [18446744073709551616, 1.5]}') == {"a": [2**64, 1.5]}
    assert exactly(b"[" + b"9" * 5000 + b"]") is None
    assert parsed(b'{"a": 1, "b": ' + b"9" * 300 + b"}", "body") == {"a": 1, "b": 1e300}
