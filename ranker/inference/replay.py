"""Replay of golden requests: an engine must reproduce the trained model's scores."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, ArtifactError, difference
from ranker.engines import Engine, MergingEngine
from ranker.inference.pool import Sent


def replay(
    artifact: Artifact,
    engine: Engine,
    tolerance: float,
    scores: Sequence[Mapping[str, list[float]]] | None = None,
    of: str = "",
) -> None:
    """Raise ``ArtifactError`` if an engine's scores differ from the exported ones by more than ``tolerance``.

    ``scores`` are expected by task for each golden request, by default the full model's; ``of`` names another model in
    messages. The first request is also scored at each of the engine's fixed sizes, with its rows repeated, and all
    requests in one run, if the engine merges requests.
    """
    if not artifact.golden:
        raise ArtifactError(f"{artifact.folder}: has no golden request to check the scores against")
    tasks = artifact.manifest.tasks
    by_task = [golden.scores for golden in artifact.golden] if scores is None else scores
    expected = [np.array([one[task] for task in tasks]).T for one in by_task]
    packed = [
        Sent(artifact, golden.candidates).packed({name: [value] for name, value in golden.context.items()})
        for golden in artifact.golden
    ]
    check = _Check(artifact, tolerance, of)
    for number, (request, exact) in enumerate(zip(packed, expected, strict=True)):
        count = len(request.candidate_ids)
        for size in (count, *engine.sizes) if number == 0 else (count,):
            rows = np.arange(size) % count
            many = request.with_candidates(rows)
            check(f"golden request {number}", engine.score(many), exact[rows])
    if isinstance(engine, MergingEngine):
        for number, (found, exact) in enumerate(zip(engine.score_many(packed), expected, strict=True)):
            check(f"golden request {number}, scored with the others", found, exact)


class _Check:
    """Compares scores [N, T] of one request with the exact ones."""

    def __init__(self, artifact: Artifact, tolerance: float, of: str) -> None:
        self._artifact, self._tolerance, self._of = artifact, tolerance, of

    def __call__(self, request: str, scores: NDArray[np.floating], exact: NDArray[np.floating]) -> None:
        for i, task in enumerate(self._artifact.manifest.tasks):
            worst = difference(scores[:, i], exact[:, i]) if len(scores) == len(exact) else np.inf
            if not worst <= self._tolerance:
                raise ArtifactError(
                    f"{self._artifact.folder}: {request}, task {task!r}: {self._of}scores differ by {worst:.2e} from "
                    f"those the model was exported with, more than {self._tolerance:.0e}; it is not served"
                )
