"""A sample of requests in an artifact, with their exported scores, to measure the agreement of rankings on.

Each of C contexts is combined with the same N candidates, so that candidates are stored once. It is optional: older
artifacts have none, and then golden requests alone are measured on.
"""

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ranker.artifact import Artifact, ArtifactError, Golden
from ranker.config.closed import Closed

SAMPLE = "sample.json.gz"


class Sample(Closed):
    """Content of the file."""

    contexts: list[dict[str, Any]] = Field(description="C contexts, by column.")
    candidates: dict[str, list[Any]] = Field(description="Columns of N candidates.")
    scores: list[dict[str, list[float]]] = Field(description="For each context, scores [N] by task.")


def write_sample(
    folder: Path,
    contexts: Sequence[Mapping[str, Any]],
    candidates: Mapping[str, list[Any]],
    scores: Sequence[Mapping[str, NDArray[np.float32]]],
) -> None:
    """Write the sample into an artifact's folder, before it is sealed; ``scores`` are [N] by task for each context."""
    plain = {"contexts": contexts, "candidates": candidates, "scores": scores}
    text = orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY)
    (folder / SAMPLE).write_bytes(gzip.compress(text, mtime=0))


def read_sample(artifact: Artifact) -> tuple[Golden, ...]:
    """The artifact's sample as requests; none for older artifacts. Raises ``ArtifactError`` if it cannot be read."""
    if SAMPLE not in artifact.manifest.files:
        return ()
    file = artifact.folder / SAMPLE
    try:
        sample = Sample.model_validate(orjson.loads(gzip.decompress(file.read_bytes())))
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError, ValidationError) as error:
        raise ArtifactError(f"{file}: cannot be read: {error}") from error
    return tuple(
        Golden(context=context, candidates=sample.candidates, scores=scores)
        for context, scores in zip(sample.contexts, sample.scores, strict=True)
    )
