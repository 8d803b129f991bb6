"""BentoML with ONNX Runtime and the split graph; started by `bentoml serve`, with settings in the environment."""

import os
from typing import Any

import bentoml

from benchmarks.peers.serving_scorer import Scorer, plain

WORKERS = int(os.environ["SERVING_WORKERS"])


@bentoml.service(workers=WORKERS, threads=2, traffic={"timeout": 60, "max_concurrency": 1000})
class Rank:
    """The model of one worker process."""

    def __init__(self) -> None:
        self._scorer = Scorer(os.environ["SERVING_ARTIFACT"], threads=int(os.environ["SERVING_THREADS"]))

    @bentoml.api(route="/rank")
    def rank(self, context: dict[str, Any], candidates: dict[str, Any]) -> dict[str, Any]:
        """Rank N candidates for one user."""
        return plain(self._scorer.rank({"context": context, "candidates": candidates}))
