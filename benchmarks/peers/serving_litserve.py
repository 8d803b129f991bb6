"""LitServe with ONNX Runtime and the split graph; answers are written by orjson, and queues use ZeroMQ."""

from pathlib import Path
from typing import Annotated, Any

import litserve
import typer
from fastapi import Response

from benchmarks.peers.serving_scorer import Scorer


class Rank(litserve.LitAPI):
    """The model of one worker process."""

    def __init__(self, artifact: str, threads: int) -> None:
        super().__init__(api_path="/rank")
        self._arguments = artifact, threads

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model in the worker."""
        self._scorer = Scorer(*self._arguments)

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pass the parsed request on."""
        return request

    def predict(self, x: dict[str, Any]) -> bytes:
        """Rank one request."""
        return self._scorer.bytes(x)

    def encode_response(self, output: bytes) -> Response:
        """Return the serialised answer."""
        return Response(output, media_type="application/json")


def main(
    artifact: Path, port: Annotated[int, typer.Option()], workers: int = 1, threads: int = 2, fast_queue: bool = True
) -> None:
    """Serve until stopped."""
    server = litserve.LitServer(
        Rank(str(artifact), threads), accelerator="cpu", workers_per_device=workers, fast_queue=fast_queue
    )
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False, access_log=False)


if __name__ == "__main__":
    typer.run(main)
