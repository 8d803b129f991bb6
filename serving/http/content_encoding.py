"""Decompresses bodies by ``Content-Encoding``, within the size limit of plain ones. RFC 9110, 8.4."""

import zlib
from collections.abc import Callable

from serving.http.admission import too_large
from serving.protocol.errors import Refusal

ACCEPTED = ("gzip", "deflate", "identity")
"""Accepted values of ``Content-Encoding``; ``x-gzip`` is an alias of gzip."""
GZIP, ZLIB, RAW = 31, 15, -15
"""zlib's ``wbits`` for a gzip member, a zlib stream, and raw deflate, which some clients send."""

MEMBERS = 16
"""Most members of a gzip body: the rest of the body is copied after each one."""

Unpack = Callable[[bytes], bytes]


def unpacker(content_encoding: str | None, limit: int) -> Unpack | None:
    """Return the function that decompresses a body to at most ``limit`` bytes; ``None`` for an uncompressed body.

    Raises ``Refusal`` (415) for unknown and for multiple encodings, listing the accepted ones (RFC 7694). The returned
    function raises ``Refusal``: 413 as soon as the output exceeds ``limit`` bytes, and 422 for a damaged or truncated
    body.
    """
    name = (content_encoding or "").strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return lambda body: _unpacked(body, GZIP, "gzip", limit)
    if name == "deflate":
        return lambda body: _unpacked(body, ZLIB if _is_zlib(body) else RAW, "deflate", limit)
    reason = f"must be exactly one of {', '.join(ACCEPTED)}; got {content_encoding!r:.80}"
    headers = {"Accept-Encoding": ", ".join(ACCEPTED)}
    raise Refusal(415, "invalid", "header Content-Encoding", reason, headers)


def _is_zlib(body: bytes) -> bool:
    """Whether deflated data begins with the header of RFC 1950."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _unpacked(body: bytes, wbits: int, name: str, limit: int) -> bytes:
    """The decompressed body; a gzip body may consist of several members."""
    parts: list[bytes] = []
    room = limit
    for _ in range(MEMBERS):
        unpacks = zlib.decompressobj(wbits)
        try:
            part = unpacks.decompress(body, room + 1)
        except zlib.error:
            mistake = "the data after its end is not gzip" if parts else f"is not {name}"
            raise _damaged(f"Content-Encoding says {name}, but {mistake}") from None
        room -= len(part)
        if room < 0:
            raise too_large(limit, "unpacked")
        parts.append(part)
        if not unpacks.eof:
            raise _damaged(f"is cut off: its {name} data is incomplete")
        body = unpacks.unused_data
        if not body:
            return b"".join(parts)
        if wbits != GZIP:
            raise _damaged(f"{len(body)} bytes follow the end of its {name} data")
    raise _damaged(f"has more than {MEMBERS} gzip members")


def _damaged(reason: str) -> Refusal:
    return Refusal(422, "invalid", "body", reason)
