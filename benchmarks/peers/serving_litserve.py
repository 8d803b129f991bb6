"""LitServe with ONNX Runtime and the split graph; answers are written by orjson, and queues use ZeroMQ.

With ``--batch``, LitServe collects up to so many requests, which are scored in one run with their contexts repeated.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import litserve
import typer
from fastapi import Response

from benchmarks.peers.serving_scorer import Scorer

WAIT = 0.002
"""Longest time in seconds that LitServe waits for a batch to fill."""


class Rank(litserve.LitAPI):
    """The model of one worker process."""

    def __init__(self, artifact: str, threads: int, device: str, batch: int) -> None:
        super().__init__(api_path="/rank", max_batch_size=batch, batch_timeout=WAIT if batch > 1 else 0.0)
        self._make_scorer = partial(Scorer, artifact, threads, split=batch == 1, device=device)
        self._batched = batch > 1

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model in the worker."""
        self._scorer = self._make_scorer()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Pass the parsed request on."""
        return request

    def batch(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep the requests of a batch apart: each is encoded by itself."""
        return inputs

    def predict(self, x: Any) -> Any:
        """Rank one request, or those of a batch."""
        return self._scorer.all_as_json(x) if self._batched else self._scorer.as_json(x)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """Return the answers of a batch."""
        return output

    def encode_response(self, output: bytes) -> Response:
        """Return the serialised answer."""
        return Response(output, media_type="application/json")


def main(
    artifact: Path,
    port: Annotated[int, typer.Option()],
    workers: int = 1,
    threads: int = 2,
    fast_queue: bool = True,
    device: str = "cpu",
    batch: Annotated[int, typer.Option(help="Most requests of a run.")] = 1,
) -> None:
    """Serve until stopped."""
    server = litserve.LitServer(
        Rank(str(artifact), threads, device, batch),
        accelerator="cpu",  # ONNX Runtime chooses the device itself
        workers_per_device=workers,
        fast_queue=fast_queue,
    )
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False, access_log=False)


if __name__ == "__main__":
    typer.run(main)
