"""A slice of what ``python -m benchmarks.under_fire fuzz`` sends in full."""

import pytest

from tests.serving.fuzzing import FORMATS, complaint, fuzz


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_no_request_harms_the_service(url, body, form):
    found = fuzz(url, body, form, count=120)
    assert found.complaints == []
    assert found.statuses.keys() >= {200, 422}


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (500, b'{"detail": [{"field": "service", "reason": "failed"}]}', "status 500"),
        (504, b'{"detail": [{"field": "service", "reason": "late"}]}', "status 504"),
        (302, b"{}", "status 302"),
        (404, b'{"detail": "Not Found"}', "with no reason"),
        (422, b'{"detail": []}', "with no reason"),
        (422, b'{"detail": [{"field": "a", "reason": ""}]}', "lacks its field or reason"),
        (422, b"Invalid", "with no JSON"),
        (200, b'{"ids": [1], "fused": [NaN]}', "with no JSON"),
        (200, b'{"ids": [1], "fused": []}', "a ranking that is none"),
        (200, b'{"ids": [1], "fused": [1], "base_place": [1], "propensity": [0]}', "a ranking that is none"),
        (422, b'{"detail": [{"field": "a", "reason": "Traceback (most"}]}', "tells of the inside"),
    ],
)
def test_what_an_answer_may_not_be_is_seen(status, content, reason):
    assert reason in complaint(status, content, {})


def test_good_answers_pass():
    assert complaint(200, b'{"ids": [1], "fused": [0.5]}', {}) is None
    assert complaint(422, b'{"detail": [{"field": "a", "reason": "b"}]}', {}) is None
    assert complaint(504, b"", {"X-Request-Timeout-Ms": "1"}) is None
