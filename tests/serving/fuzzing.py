"""Requests gone wrong, drawn at random from a good one, and what no answer to them may be.

A seed gives the same requests again. :data:`FORMATS` lists the ways to write one; a further way is a line there.
"""

import http.client
import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.serving.protocol.formats.streams import ARROW, sent, table_of

HANG = 60.0
"""Seconds after which an answer counts as never coming."""
LONGEST = 100_000
"""Bytes that a refusal may have."""


@dataclass(frozen=True)
class Format:
    """A way to write a request: ``shape`` lays it out as it is mutated, ``write`` puts that into bytes.

    ``write`` may raise for what cannot be written in the format; then bytes of the good request are mutated instead.
    """

    name: str
    content_type: str
    shape: Callable[[dict[str, Any]], Any]
    write: Callable[[Any], bytes]


def as_rows(request: dict[str, Any]) -> dict[str, Any]:
    """The same request with a list of rows for candidates."""
    columns = request["candidates"]
    return {**request, "candidates": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values())]}  # noqa: B905


def as_json(tree: Any) -> bytes:
    """JSON, with NaN, infinities and lone surrogates where the tree has them."""
    return json.dumps(tree).encode()


FORMATS = [
    Format("columns", "application/json", lambda request: request, as_json),
    Format("rows", "application/json", as_rows, as_json),
    Format("arrow", ARROW, lambda request: request, lambda request: sent(table_of(request))),
]

WILD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, -0.0, 2**31, 2**63, -(2**63) - 1, 2**64, 10**40, 1e308, 1e-320),
    *(math.nan, math.inf, -math.inf, "", " ", "0", "x", "\x00", "\ud800", "\u202e", "é" * 300, "a" * 10_000),
    *("../../etc/passwd", "null", "1e5", "default", "expression", "{}", "[1]", "%s%n", "<b>", "'; --"),
    *([], [[]], [None], [1, "1"], {}, {"": None}, {"click": 1}, {"name": 1}, list(range(6000)), [{}] * 30),
]
HEADERS = {
    "Content-Type": ["text/plain", "application/xml", "application/json; charset=latin-1", "", "x", "*/*"],
    "Accept": ["text/html", "application/xml;q=0.1", "", "*/*", "application/json;q=x", "a" * 500],
    "X-Request-Timeout-Ms": ["0", "-1", "1", "x", "9" * 30, "5000", ""],
    "X-Request-ID": ["x" * 500, "\t", "../a", "ok"],
    "Content-Encoding": ["gzip", "br", "x"],
    "Authorization": ["Bearer", "Bearer x", "Basic eDp4"],
}


def requests(request: dict[str, Any], form: Format, count: int, seed: int) -> Iterator[tuple[bytes, dict[str, str]]]:
    """So many bodies with their headers, each a good request with one to three things wrong."""
    draw = random.Random(f"{seed} {form.name}")
    good = form.write(form.shape(request))
    for _ in range(count):
        body = good
        if draw.random() < 0.7:
            tree = json.loads(json.dumps(form.shape(request)))
            for _ in range(draw.choice((1, 1, 1, 2, 3))):
                tree = _spoilt(tree, draw)
            try:
                body = form.write(tree)
            except Exception:  # whatever a writer says of what it cannot write
                body = _garbled(good, draw)
        else:
            body = _garbled(good, draw)
        headers = {"Content-Type": form.content_type}
        if draw.random() < 0.15:
            name = draw.choice(list(HEADERS))
            headers[name] = draw.choice(HEADERS[name])
        yield body, headers


def _spoilt(tree: Any, draw: random.Random) -> Any:
    """Change one node of a tree, at any depth with the same chance."""
    if not isinstance(tree, dict | list) or not tree or draw.random() < 0.03:
        return _wild(draw)
    parent: Any = tree
    key: Any = draw.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    while isinstance(parent[key], dict | list) and parent[key] and draw.random() < 0.7:
        parent = parent[key]
        key = draw.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    change = draw.choice(("replace", "replace", "replace", "remove", "add", "rename"))
    if change == "replace":
        parent[key] = _wild(draw)
    elif change == "remove":
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(draw.randint(0, len(parent)), draw.choice([_wild(draw), parent[key]]))
    elif change == "rename":
        parent[key[:-1] + draw.choice(["", "s", "\x00", "ü"])] = parent.pop(key)
    else:
        name = draw.choice(["top_k", "fusion", "explain", "model", "ids", "", "x" * 300, key + "2"])
        parent[name] = draw.choice(
            [_wild(draw), {"name": _wild(draw)}, {"parameters": {"share": _wild(draw)}}, {"explore": _wild(draw)}]
        )
    return tree


def _wild(draw: random.Random) -> Any:
    return json.loads(json.dumps(draw.choice(WILD)))  # a copy: what follows may change it again


def _garbled(body: bytes, draw: random.Random) -> bytes:
    """Change bytes without regard to what they mean."""
    for _ in range(draw.randint(1, 3)):
        start = draw.randint(0, len(body))
        end = min(len(body), start + draw.choice((1, 2, 8, 100, 10_000)))
        middle = draw.choice(
            [
                b"",
                body[start:end] * 2,
                bytes(draw.randrange(256) for _ in range(draw.randint(1, 8))),
                bytes(byte ^ (1 << draw.randrange(8)) for byte in body[start : start + 4]),
                draw.choice(
                    [b"1e999", b"-", b"9" * 400, b"NaN", b'"', b"\xff\xfe", b"\\ud800", b"[" * 2000, b"}" * 50]
                ),
            ]
        )
        body = draw.choice([body[:start] + middle + body[end:], body[:start] + middle + body[end:], body[:start]])
    return body


@dataclass
class Found:
    """Answers by status, and what was wrong with any of them."""

    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def fuzz(url: str, request: dict[str, Any], form: Format, count: int, seed: int = 0, every: int = 50) -> Found:
    """Send the requests over one kept connection; every so often, and at the end, the good one must rank as before."""
    found, address = Found(), urlsplit(url)
    good = form.write(form.shape(request)), {"Content-Type": form.content_type, "X-Request-ID": "good"}
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=HANG)

    def ask(body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection.request("POST", "/rank", body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()

    before = ask(*good)
    if before[0] != 200:
        return Found(complaints=[f"the good request: {before}"])
    for number, (body, headers) in enumerate(requests(request, form, count, seed), 1):
        try:
            status, content = ask(body, headers)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            found.complaints.append(
                f"{form.name} {number}: {type(error).__name__} {error} for {_begun(body)} {headers}"
            )
            continue
        found.statuses[status] += 1
        if (reason := complaint(status, content, headers)) is not None:
            found.complaints.append(f"{form.name} {number}: {reason}, for {_begun(body)} {headers}")
        if (number % every == 0 or number == count) and ask(*good) != before:
            found.complaints.append(f"{form.name} {number}: the good request ranks otherwise, after {_begun(body)}")
    connection.close()
    return found


def complaint(status: int, content: bytes, headers: dict[str, str]) -> str | None:
    """What is wrong with an answer: a failure of the server, a refusal without a reason, a ranking that is none."""
    if status == 504 and "X-Request-Timeout-Ms" in headers:
        return None
    if status >= 500 or status < 200 or 300 <= status < 400:
        return f"status {status}: {_begun(content)}"
    try:
        answer = json.loads(content, parse_constant=_no_constant)
    except ValueError:
        return f"status {status} with no JSON: {_begun(content)}"
    if status < 300:
        whole = isinstance(answer, dict) and len(answer.get("ids", ())) == len(answer.get("fused", "?"))
        if whole and "propensity" in answer:
            whole = len(answer["ids"]) == len(answer["propensity"]) == len(answer["base_place"])
            whole = whole and all(0 < chance <= 1 for chance in answer["propensity"])
        return None if whole else f"a ranking that is none: {_begun(content)}"
    told = answer.get("detail") if isinstance(answer, dict) else None
    if not isinstance(told, list) or not told:
        return f"status {status} with no reason: {_begun(content)}"
    if not all(isinstance(p, dict) and p.keys() == {"field", "reason"} and p["field"] and p["reason"] for p in told):
        return f"status {status} with a problem that lacks its field or reason: {_begun(content)}"
    if len(content) > LONGEST:
        return f"status {status} with {len(content)} bytes"
    if re.search(rb'Traceback|File \\"/|0x[0-9a-f]{8}', content):
        return f"status {status} that tells of the inside: {_begun(content)}"
    return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _begun(content: bytes) -> str:
    return repr(content[:300])
