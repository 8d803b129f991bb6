"""Compressed bodies, by hand and against a real server."""

import gzip
import json
import zlib

import pytest

from serving.http.content_encoding import unpacker
from serving.protocol.errors import Refusal
from tests.serving.asking import CLIENT
from tests.serving.protocol.formats.streams import ARROW, sent, table_of

TEXT = b'{"candidates": {}}' * 50
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(TEXT) + RAW.flush()


def unpacked(encoding: str | None, body: bytes, limit: int = 10_000) -> bytes:
    unpack = unpacker(encoding, limit)
    return unpack(body) if unpack else body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        (" X-GZIP", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:])),
        ("deflate", zlib.compress(TEXT)),
        ("Deflate", DEFLATED),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "members", "zlib", "raw deflate"],  # gzip's bytes hold the time
)
def test_what_was_packed_comes_out(encoding: str | None, body: bytes) -> None:
    assert unpacked(encoding, body) == TEXT


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, identity", "*"])
def test_other_encodings_list_those_accepted(encoding: str) -> None:
    with pytest.raises(Refusal, match="must be exactly one of gzip, deflate, identity") as caught:
        unpacker(encoding, 10)
    assert caught.value.status == 415
    assert caught.value.headers == {"Accept-Encoding": "gzip, deflate, identity"}


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("gzip", TEXT, "is not gzip"),
        ("gzip", b"", "is cut off"),
        ("gzip", gzip.compress(TEXT)[:-1], "is cut off"),
        ("gzip", gzip.compress(TEXT) + b"more", "the data after its end is not gzip"),
        ("gzip", gzip.compress(TEXT)[:-8] + bytes(8), "is not gzip"),
        ("deflate", gzip.compress(TEXT), "is not deflate"),
        ("deflate", zlib.compress(TEXT) + b"more", "4 bytes follow the end"),
    ],
    ids=["no gzip", "empty", "cut", "gzip and more", "wrong checksum", "gzip as deflate", "zlib and more"],
)
def test_damaged_bodies_are_said_to_be(encoding: str, body: bytes, text: str) -> None:
    with pytest.raises(Refusal, match=text) as caught:
        unpacked(encoding, body)
    assert caught.value.status == 422


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_bound_holds_for_what_comes_out(encoding: str) -> None:
    packed = gzip.compress(TEXT) if encoding == "gzip" else zlib.compress(TEXT)
    assert unpacked(encoding, packed, len(TEXT)) == TEXT
    with pytest.raises(Refusal, match=f"at most {len(TEXT) - 1} bytes unpacked") as caught:
        unpacked(encoding, packed, len(TEXT) - 1)
    assert caught.value.status == 413


def test_many_members_share_one_bound() -> None:
    with pytest.raises(Refusal, match="unpacked"):
        unpacked("gzip", gzip.compress(TEXT) * 3, 2 * len(TEXT))


def test_very_many_members_are_refused_for_each_costs_a_copy() -> None:
    unpack = unpacker("gzip", 1000)
    assert unpack is not None
    with pytest.raises(Refusal, match="more than 16 gzip members") as refused:
        unpack(gzip.compress(b"") * 100_000)
    assert (refused.value.status, refused.value.field) == (422, "body")


def test_a_server_ranks_what_is_compressed(url, body) -> None:
    text = json.dumps(body).encode()
    plain = CLIENT.post(f"{url}/rank", content=text).json()
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        answer = CLIENT.post(f"{url}/rank", content=pack(text), headers={"Content-Encoding": encoding})
        assert answer.status_code == 200
        assert answer.json() == plain
    content, headers = sent(table_of(body)), {"Content-Type": ARROW}
    first = CLIENT.post(f"{url}/rank", content=content, headers=headers)
    packed = CLIENT.post(f"{url}/rank", content=gzip.compress(content), headers={**headers, "Content-Encoding": "gzip"})
    assert (packed.status_code, packed.content) == (200, first.content)


def test_a_server_stops_unpacking_at_the_bound(url) -> None:
    bomb = gzip.compress(bytes(50 * 2**20), compresslevel=1)
    assert len(bomb) < 8 * 2**20
    answer = CLIENT.post(f"{url}/rank", content=bomb, headers={"Content-Encoding": "gzip"}, timeout=30)
    assert answer.status_code == 413
    refused = CLIENT.post(f"{url}/rank", content=b"x", headers={"Content-Encoding": "br"})
    assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "gzip, deflate, identity")
    assert refused.json()["detail"][0]["field"] == "header Content-Encoding"
