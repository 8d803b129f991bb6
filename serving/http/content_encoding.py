"""Bodies that come compressed, by ``Content-Encoding``: unpacked within the same limit as plain ones. RFC 9110, 8.4."""

import zlib
from collections.abc import Callable

from serving.http.admission import too_large
from serving.protocol.errors import Refusal

ACCEPTED = ("gzip", "deflate", "identity")
"""What ``Content-Encoding`` may name; ``x-gzip`` is another name of gzip."""
GZIP, ZLIB, RAW = 31, 15, -15
"""What zlib calls the formats: a gzip member, a zlib stream, and deflate without a header, which some clients send."""

MEMBERS = 16
"""Members that a gzip body may have: what is behind one is copied before the next."""

Unpack = Callable[[bytes], bytes]


def unpacker(content_encoding: str | None, limit: int) -> Unpack | None:
    """What unpacks a body of at most ``limit`` bytes; ``None`` for one that comes as it is.

    Raises ``Refusal`` (415) for other encodings and for several, with what is accepted (RFC 7694). What is returned
    raises ``Refusal`` itself: 413 where more than ``limit`` bytes come out, as soon as they do, and 422 where the body
    is damaged or cut off.
    """
    name = (content_encoding or "").strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return lambda body: _unpacked(body, GZIP, "gzip", limit)
    if name == "deflate":
        return lambda body: _unpacked(body, ZLIB if _is_zlib(body) else RAW, "deflate", limit)
    reason = f"must be one of {', '.join(ACCEPTED)}, and one alone; got {content_encoding!r:.80}"
    headers = {"Accept-Encoding": ", ".join(ACCEPTED)}
    raise Refusal(415, "invalid", "header Content-Encoding", reason, headers)


def _is_zlib(body: bytes) -> bool:
    """Whether deflated data begins with the header of RFC 1950."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _unpacked(body: bytes, wbits: int, name: str, limit: int) -> bytes:
    """The whole body; gzip may have several members, one after the other."""
    parts: list[bytes] = []
    room = limit
    for _ in range(MEMBERS):
        unpacks = zlib.decompressobj(wbits)
        try:
            part = unpacks.decompress(body, room + 1)
        except zlib.error:
            where = "what follows its end is no gzip" if parts else f"is not {name}"
            raise _damaged(f"Content-Encoding says {name}, but {where}") from None
        room -= len(part)
        if room < 0:
            raise too_large(limit, "unpacked")
        parts.append(part)
        if not unpacks.eof:
            raise _damaged(f"is cut off: its {name} data does not end")
        body = unpacks.unused_data
        if not body:
            return b"".join(parts)
        if wbits != GZIP:
            raise _damaged(f"{len(body)} bytes follow the end of its {name} data")
    raise _damaged(f"has more than {MEMBERS} gzip members, one after the other")


def _damaged(reason: str) -> Refusal:
    return Refusal(422, "invalid", "body", reason)
