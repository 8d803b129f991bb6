"""Replay of golden requests: an engine must reproduce the trained model's scores."""

import numpy as np

from ranker.artifact import Artifact, ArtifactError, difference
from ranker.engines import Engine
from ranker.inference.pool import Sent


def replay(artifact: Artifact, engine: Engine, tolerance: float) -> None:
    """Raise ``ArtifactError`` if an engine's scores differ from the exported ones by more than ``tolerance``.

    The first request is also scored at each of the engine's fixed sizes, with its rows repeated.
    """
    folder, tasks = artifact.folder, artifact.manifest.tasks
    if not artifact.golden:
        raise ArtifactError(f"{folder}: has no golden request to check the scores against")
    for number, golden in enumerate(artifact.golden):
        packed = Sent(artifact, golden.candidates).packed({name: [value] for name, value in golden.context.items()})
        expected = np.array([golden.scores[task] for task in tasks]).T
        count = len(packed.candidate_ids)
        for size in (count, *engine.sizes) if number == 0 else (count,):
            rows = np.arange(size) % count
            many = packed._replace(
                candidate_ids=packed.candidate_ids[rows], candidate_numbers=packed.candidate_numbers[rows]
            )
            got = engine.score(many)
            for i, task in enumerate(tasks):
                worst = difference(got[:, i], expected[rows, i]) if len(expected) == count else np.inf
                if not worst <= tolerance:
                    raise ArtifactError(
                        f"{folder}: golden request {number}, task {task!r}: scores differ by {worst:.2e} from "
                        f"those the model was exported with, more than {tolerance:.0e}; it is not served"
                    )
