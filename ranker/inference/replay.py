"""Replay of golden requests: an engine must reproduce the trained model's scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from ranker.artifact import Artifact, ArtifactError, difference
from ranker.engines import Engine
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
    messages. The first request is also scored at each of the engine's fixed sizes, with its rows repeated.
    """
    folder, tasks = artifact.folder, artifact.manifest.tasks
    if not artifact.golden:
        raise ArtifactError(f"{folder}: has no golden request to check the scores against")
    all_expected = [golden.scores for golden in artifact.golden] if scores is None else scores
    for number, (golden, by_task) in enumerate(zip(artifact.golden, all_expected, strict=True)):
        packed = Sent(artifact, golden.candidates).packed({name: [value] for name, value in golden.context.items()})
        expected = np.array([by_task[task] for task in tasks]).T
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
                        f"{folder}: golden request {number}, task {task!r}: {of}scores differ by {worst:.2e} from "
                        f"those the model was exported with, more than {tolerance:.0e}; it is not served"
                    )
