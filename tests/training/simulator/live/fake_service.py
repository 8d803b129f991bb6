"""A small HTTP server that ranks by id, to see what the simulated users send and how they take what it answers."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTEXT = {"user_id": True, "history": True, "device": False, "loyalty": False}
CANDIDATES = {"item_id": True, "tags": True, "item_embedding": True}
Answer = tuple[int, Any]


class FakeService:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.context, self.candidates = dict(CONTEXT), dict(CANDIDATES)
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.connections: set[Any] = set()
        self.refuse: Callable[[int], Answer | None] = lambda _: None
        self.lock = threading.Lock()
        self.url = ""

    def model(self) -> dict[str, Any]:
        def fields(columns: dict[str, bool]) -> dict[str, Any]:
            return {name: {"required": required} for name, required in columns.items()}

        requests = {"context": fields(self.context), "candidates": fields(self.candidates)}
        return {"schema": {"candidate_id": "item_id"}, "requests": requests}

    def rank(self, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        with self.lock:
            self.asked.append((headers, body))
            refused = self.refuse(len(self.asked))
        if refused is not None:
            return refused
        ids = sorted(body["candidates"]["item_id"], key=lambda item: (item * 7919) % 1009)[: body["top_k"]]
        group = "odd" if body["context"].get("user_id", 0) % 2 else "even"
        experiment = {"name": "halves", "group": group, "outside": None}
        return 200, {"ids": ids, "model": "default", "model_version": 3, "experiment": experiment}


@contextmanager
def fake_service() -> Iterator[FakeService]:
    """A running server."""
    fake = FakeService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16  # one segment an answer, so that no acknowledgement is waited for

        def do_GET(self) -> None:
            self.answer(*((200, fake.model()) if self.path.startswith("/model") else (404, {})))

        def do_POST(self) -> None:
            fake.connections.add(self.client_address)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(*fake.rank(dict(self.headers), body))

        def answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
