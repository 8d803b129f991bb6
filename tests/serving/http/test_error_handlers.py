"""Problems that no route answers, in the shape that clients read."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from serving.http.error_handlers import add_error_handlers
from serving.protocol.errors import Refusal


def asked(method, path):
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/refusing")
    async def refusing():
        raise Refusal(409, "pinned", "model a", "serves one version", {"Retry-After": "3"})

    @app.get("/counting")
    async def counting(count: int):
        return count

    async def answer():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.request(method, path)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("method", "path", "status", "field", "reason"),
    [
        ("GET", "/refusing", 409, "model a", "serves one version"),
        ("GET", "/counting?count=two", 422, "query.count", "Input should be a valid integer"),
        ("GET", "/none", 404, "GET /none", "Not Found"),
        ("POST", "/counting", 405, "POST /counting", "Method Not Allowed"),
    ],
)
def test_every_problem_names_a_field_and_a_reason(method, path, status, field, reason):
    answer = asked(method, path)
    assert answer.status_code == status
    (problem,) = answer.json()["detail"]
    assert problem["field"] == field
    assert problem["reason"].startswith(reason)


def test_headers_of_a_refusal_are_sent_and_head_is_allowed_where_get_is():
    assert asked("GET", "/refusing").headers["retry-after"] == "3"
    assert asked("POST", "/counting").headers["allow"] == "GET, HEAD"
