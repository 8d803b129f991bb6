"""HTTP/1.1 on a socket, with limits that hold before any API key is checked.

uvicorn's protocol parses everything it receives at once, and starts or queues a task for each request in it. This one
parses in pieces: for a few milliseconds at a time, and no pipelined request before the previous one is answered. Until
then it stops reading, so that back-pressure reaches the client.
"""

import asyncio
import re
import time
from typing import Any, Literal

import httptools
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from serving.http.connections import Cause, Connections

STATE = "connections"
"""Key of the worker's ``Connections`` in the lifespan state."""
LONGEST_URL = 8192
MOST_HEADERS = 100
MOST_PIPELINED = 16
"""Most pipelined requests parsed together with the end of a chunked body; others are not parsed early."""
FEW_CHUNKS, SMALL_CHUNK = 200, 32
"""Beyond ``FEW_CHUNKS`` chunks, the average must be at least ``SMALL_CHUNK`` bytes: every chunk has a cost."""
HEAD_PIECE, BODY_PIECE, CHUNKED_PIECE = 8192, 65536, 4096
TURN = 0.002
"""Seconds of parsing before the event loop runs other work; connections with data left to parse share them."""
MOST_BLANKS = 16
"""Most bytes of empty lines before a request; RFC 9112, section 2.2, asks servers to ignore one such line."""
BLANKS = re.compile(rb"[\r\n]{0,%d}" % (MOST_BLANKS + 1))
H2C = re.compile(rb"^upgrade:[ \t]*h2c[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
NO_UPGRADE = b"x-no-upgrade: h2c\r"
"""Replaces the offer to upgrade to HTTP/2, which is declined (RFC 9110, 7.8): the answer is HTTP/1.1."""
LINGER = 2.0
"""Seconds in which the rest of a refused request is read and discarded, so that the client gets the response."""
STALL = 30.0
"""Seconds without progress after which a client that does not read its response is disconnected."""


class Refused(Exception):  # noqa: N818 - an answer rather than a mistake
    """A request that the protocol itself answers with an error before closing the connection."""

    def __init__(self, status: int, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.status, self.cause, self.reason = status, cause, reason


class Flow(FlowControl):
    """Pauses reading as uvicorn does, and also while received data is still to be parsed."""

    held = False

    def hold(self) -> None:
        """Stop reading until :meth:`release`."""
        self.held = True
        self.pause_reading()

    def release(self) -> None:
        """Resume reading: everything is parsed."""
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Resume reading, unless data is still to be parsed."""
        if not self.held:
            super().resume_reading()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its limits come from ``app_state["connections"]``, which the application creates."""

    flow: Flow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits: Connections = app_state[STATE]
        self._data, self._at = b"", 0
        self._part: Literal["none", "head", "body"] = "none"
        """Part of a request that the parser is in."""
        self._head_bytes = self._head_fed = self._headers = self._blanks = 0
        self._body_left: int | None = 0
        """Bytes of ``Content-Length`` still to come; ``None`` for a chunked body."""
        self._body_bytes = self._chunks = 0
        self._ended = self._deaf = False
        """Whether the client has closed its side, and whether further input is discarded."""
        self._last = False
        """Whether data after this request may be in another protocol."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._refusal: Refused | None = None

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse it if there are too many."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        if not self._limits.opened():
            self._deaf = True
            self._write(503, "the service has too many connections; try again", b"retry-after: 1\r\n")
            self._end()
            return
        self._limits.idle(self)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._limits.closed(self)
        self._deaf, self._data = True, b""
        if self._turn is not None:
            self._limits.parsing -= 1
        for timer in (self._head_timer, self._stall_timer, self._turn):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Parse the received data, for as long as this connection's turn lasts."""
        if self._deaf or self.transport.is_closing():
            return
        self._data, self._at = (self._data[self._at :] + data if self._data else data), 0
        self._advance()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether the connection stays open: the client sends no more but may still read a response."""
        self._ended = True
        if self._deaf or self.cycle is None or self.cycle.response_complete or self._part != "none":
            return False
        if not self.pipeline:
            self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        """Start the timeout of a client that does not read its response."""
        super().pause_writing()
        self._limits.idle(self)
        self._abort_after(STALL)

    def resume_writing(self) -> None:
        """Resume writing."""
        super().resume_writing()
        if self._stall_timer is not None and not self.transport.is_closing():
            self._stall_timer.cancel()
            self._stall_timer = None
            self._limits.busy(self)

    # Called by the parser

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._part = "head"
        self._head_bytes = self._head_fed = self._headers = self._blanks = 0
        self._body_left = self._body_bytes = self._chunks = 0

    def on_url(self, url: bytes) -> None:
        """Receive a part of the URL."""
        if len(self.url) + len(url) > LONGEST_URL:
            raise self._refused(414, "url_size", f"the URL may have at most {LONGEST_URL} bytes")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header; trailers of a chunked body are ignored."""
        self._headers += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._headers > MOST_HEADERS:
            raise self._refused(431, "head_size", f"a request may have at most {MOST_HEADERS} header lines")
        if self._head_bytes > self._limits.max_head_bytes:
            raise self._refused(431, "head_size", self._too_large())
        if self._part == "head":  # as uvicorn does, without another call for each header
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start answering a request whose head is complete and unambiguous."""
        self._check_head()
        self._part = "body"
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._limits.busy(self)
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False
        if self.parser.should_upgrade():  # the upgrade is declined, and further data is not HTTP/1.1
            self.cycle.keep_alive = False
            self._deaf = True

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body."""
        self._body_bytes += len(body)
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """Count a chunk."""
        self._chunks += 1
        if self._chunks > FEW_CHUNKS and self._body_bytes < SMALL_CHUNK * (self._chunks - 1):
            raise self._refused(400, "malformed", f"the body has {self._chunks} chunks of only a few bytes each")

    def on_message_complete(self) -> None:
        """End a request."""
        self._part = "none"
        super().on_message_complete()
        self._deaf = self._deaf or self._last

    # Called by responses

    def on_response_complete(self) -> None:
        """Continue with pipelined requests, or wait for the next one."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_after(STALL)
            return
        self._limits.idle(self)
        if self._part == "body":  # discard the rest of it, with a timeout
            if self._body_left is None:
                self._linger()
            else:
                self._await_head()
        elif self._data:
            self._advance()
        if self._ended and self._part == "none" and not self.pipeline and self.cycle.response_complete:
            self._end()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for the keep-alive timeout."""
        super().timeout_keep_alive_handler()
        self._abort_after(STALL)

    def dismiss(self) -> None:
        """Close this connection to make room for another one."""
        self._deaf = True
        self.transport.abort()

    def _advance(self) -> None:
        """Parse received data for one turn, unless a request is still to be answered."""
        if self._turn is not None:
            self._turn = None
            self._limits.parsing -= 1
        begun, turn = 0.0, TURN / (1 + self._limits.parsing)
        while self._data and not self._deaf:
            if self._part == "none" and self.cycle is not None and not self.cycle.response_complete:
                self.flow.hold()
                return
            now = time.monotonic()
            begun = begun or now
            if now - begun > turn:
                self.flow.hold()
                self._limits.parsing += 1
                self._turn = self.loop.call_soon(self._advance)
                return
            self._unset_keepalive_if_required()
            if self._part == "none" and not self._skip_blanks():
                break
            self._parse(self._piece())
        if self._deaf or self.parser is None:
            self._data = b""
            return
        if self.flow.held:
            self.flow.release()
        if self._part == "head" or (self._part == "none" and (self.cycle is None or self.cycle.response_complete)):
            self._await_head()

    def _skip_blanks(self) -> bool:
        """Skip empty lines before a request; return whether data follows them."""
        match = BLANKS.match(self._data, self._at)
        end = match.end() if match else self._at
        self._blanks += end - self._at
        self._at = end
        if self._blanks > MOST_BLANKS:
            self._refuse(self._refused(400, "malformed", f"more than {MOST_BLANKS} bytes of empty lines"))
        elif end == len(self._data):
            self._data, self._at = b"", 0
        return bool(self._data)

    def _piece(self) -> bytes | memoryview:
        """The next piece to parse: at most the current head, or the rest of the current body."""
        data, at = self._data, self._at
        if self._part == "body":
            size = CHUNKED_PIECE if self._body_left is None else min(BODY_PIECE, self._body_left or 1)
            end = at + size
        else:
            head_end = data.find(b"\r\n\r\n", at, at + HEAD_PIECE)
            end = head_end + 4 if head_end >= 0 else at + HEAD_PIECE
        whole_head = self._part == "none" and data.endswith(b"\r\n\r\n", at, end)
        if end >= len(data):
            self._data, self._at = b"", 0
        else:
            self._at = end
        if whole_head and H2C.search(data, at, end):
            self._last = True
            return H2C.sub(NO_UPGRADE, data[at:end])
        return memoryview(data)[at:end]

    def _parse(self, piece: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            malformed = Refused(400, "malformed", f"the request is not valid HTTP/1.1: {error}")
            self._refuse(self._refusal or malformed)
            return
        if self._part == "head":
            self._head_fed += len(piece)
            if self._head_fed > self._limits.max_head_bytes + HEAD_PIECE:
                self._refuse(self._refused(431, "head_size", self._too_large()))

    def _check_head(self) -> None:
        """Raise ``Refused`` for a head that a proxy could parse differently (RFC 9112, sections 3.2, 6.1 and 7)."""
        hosts, lengths, codings, version = 0, 0, [], self.parser.get_http_version()
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                lengths += 1
                self._body_left = int(value) if value.isdigit() else 0
            elif name == b"transfer-encoding":
                codings.append(value.strip().lower())
        if version not in ("1.0", "1.1"):
            raise self._refused(505, "malformed", f"the version must be HTTP/1.1 or 1.0, got {version}")
        if hosts > 1 or (not hosts and version == "1.1"):
            raise self._refused(400, "malformed", f"there must be exactly one Host header, got {hosts}")
        if codings and (codings != [b"chunked"] or version == "1.0"):
            raise self._refused(400, "malformed", "Transfer-Encoding must be chunked, once, and in HTTP/1.1")
        if codings:
            self._body_left = None
        if self.parser.should_upgrade() and (codings or self._body_left or self.parser.get_method() == b"CONNECT"):
            raise self._refused(400, "malformed", "a request with a body cannot ask for a protocol upgrade")
        if len(self.pipeline) >= MOST_PIPELINED:
            raise self._refused(400, "malformed", f"more than {MOST_PIPELINED} pipelined requests")

    def _refused(self, status: int, cause: Cause, reason: str) -> Refused:
        """The error for a parser callback to raise; kept, since the parser replaces it with its own error."""
        self._refusal = Refused(status, cause, reason)
        return self._refusal

    def _too_large(self) -> str:
        return f"the head of a request may have at most {self._limits.max_head_bytes} bytes"

    def _refuse(self, refused: Refused) -> None:
        """Send the error, unless a response is under way, and close the connection."""
        self._limits.refused(refused.cause, refused.reason, self.client[0] if self.client else None)
        self._data = b""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answering or not (self.cycle.response_started or self.pipeline):
            self._write(refused.status, refused.reason)
        self._linger()

    def _write(self, status: int, reason: str, more: bytes = b"") -> None:
        body = orjson.dumps({"detail": [{"field": "request", "reason": reason}]})
        parts = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            parts += [name, b": ", value, b"\r\n"]
        parts += [b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body), more]
        parts += [b"cache-control: no-store\r\nconnection: close\r\n\r\n", body]
        self.transport.write(b"".join(parts))

    def _linger(self) -> None:
        """Stop sending and discard input for a moment: closing with unread bytes could lose the response."""
        self._deaf = True
        self._limits.idle(self)
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.transport.write_eof()
        self.flow.release()
        self._abort_after(LINGER)

    def _end(self) -> None:
        self.transport.close()
        self._abort_after(STALL)

    def _await_head(self) -> None:
        """Start the timeout for receiving a request head."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.head_timeout, self._no_head)

    def _no_head(self) -> None:
        self._head_timer = None
        if self.transport.is_closing() or self._deaf:
            return
        if self._part == "head":
            seconds = f"{self._limits.head_timeout:g} s"
            self._refuse(Refused(408, "slow_head", f"the request's head was not received within {seconds}"))
        else:
            self._end()

    def _abort_after(self, seconds: float) -> None:
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(seconds, self._stalled)

    def _stalled(self) -> None:
        if not self._deaf:
            client = self.client[0] if self.client else None
            self._limits.refused("slow_reader", f"the client has read nothing of its response for {STALL:g} s", client)
        self.transport.abort()
