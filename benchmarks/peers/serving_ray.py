"""Ray Serve with ONNX Runtime and the split graph: one replica per worker, answers written by orjson."""

import time
from pathlib import Path
from typing import Annotated

import orjson
import ray
import typer
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.serving_scorer import Scorer


class Rank:
    """The model of one replica."""

    def __init__(self, artifact: str, threads: int) -> None:
        self._scorer = Scorer(artifact, threads)

    async def __call__(self, request: Request) -> Response:
        """Rank N candidates for one user."""
        return Response(self._scorer.as_json(orjson.loads(await request.body())), media_type="application/json")


def main(artifact: Path, port: Annotated[int, typer.Option()], workers: int = 1, threads: int = 2) -> None:
    """Serve until stopped."""
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=4)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deployment = serve.deployment(Rank, num_replicas=workers, max_ongoing_requests=32)
    serve.run(deployment.bind(str(artifact.resolve()), threads), route_prefix="/rank")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    typer.run(main)
