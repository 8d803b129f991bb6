"""An artifact that a fit carries on, with its folder ``state``: what the fit needs besides the encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ranker.artifact import MANIFEST, STATE, Artifact, ArtifactError, verify_state
from ranker.artifact_files import digest
from ranker.config.closed import Closed
from ranker.encoding.carried import Carried
from training.data.array_files import Rows, mapped_arrays, write_arrays
from training.data.days import Unit
from training.data.trained_on import SeenFile, TrainedOn

FACTS, IDS, VARIABLES = "state.json", "ids.npz", "variables.npz"
FORMAT = 1

Arrays = dict[str, NDArray[Any]]


class InputColumns(Closed):
    """What each column of the dense layers' inputs is, by side."""

    context: tuple[str, ...]
    candidate: tuple[str, ...]


class StateFacts(Closed):
    """Content of ``state/state.json``."""

    format: int = FORMAT
    fits: int = Field(ge=1, description="Number of fits, each of which carried the one before on.")
    first_day: int = Field(description="First day of the rows of all fits.")
    day: int = Field(description="Last day of the rows of all fits.")
    day_column: str | None = Field(description="Column that days were counted by.")
    day_unit: Unit = Field(description="What days were counted by.")
    inputs: InputColumns
    sets: tuple[str, ...] = Field(description="Embedding sets, in the order of a table's columns.")
    heads: tuple[str, ...] = Field(description="The architecture's heads.")
    weighting: str = Field(description="The balancing method.")
    optimizers: dict[str, str] = Field(description="Optimiser of each variable.")
    iterations: dict[str, int] = Field(description="Steps that each variable's moments have seen.")


class ParentRecord(Closed):
    """What a run remembers of the artifact that it carries on."""

    folder: str
    version: int
    created: datetime
    manifest: str = Field(description="SHA-256 of its manifest.json.")
    fits: int
    first_day: int
    day: int
    files: tuple[SeenFile, ...] = Field((), description="Files that it and the fits before it were trained on.")


@dataclass(frozen=True)
class Earlier:
    """An artifact to carry on. ``digest`` is the SHA-256 of its manifest, which identifies it."""

    artifact: Artifact
    digest: str
    facts: StateFacts
    carried: Carried

    def record(self) -> ParentRecord:
        """What a run remembers of it."""
        about, facts = self.artifact.manifest, self.facts
        files = TrainedOn.model_validate(about.trained_on).all_files() if about.trained_on else ()
        return ParentRecord(
            folder=str(self.artifact.folder.resolve()),
            version=about.version,
            created=about.created,
            manifest=self.digest,
            fits=facts.fits,
            first_day=facts.first_day,
            day=facts.day,
            files=files,
        )

    @cached_property
    def variables(self) -> Arrays:
        """Values and moments of the variables. Raises ``ArtifactError`` if they cannot be read."""
        file = self.artifact.folder / STATE / VARIABLES
        try:
            return mapped_arrays(file)
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{file}: cannot be read: {error}") from None


def manifest_digest(artifact: Artifact) -> str:
    """SHA-256 of an artifact's manifest, and so of the artifact."""
    return digest(artifact.folder / MANIFEST)


def opened(artifact: Artifact) -> Earlier:
    """Read the state of an artifact. Raises ``ArtifactError`` if it has none, or if it is damaged."""
    folder = artifact.folder / STATE
    if f"{STATE}/{FACTS}" not in artifact.manifest.files:
        raise ArtifactError(
            f"{artifact.folder}: has no {STATE}/, which a fit needs to carry it on: it was exported with "
            "`export: {keep_state: false}` or as an ensemble, or by a version of ranker that kept none. "
            "Train from scratch, without --from, and keep the state"
        )
    verify_state(artifact)
    try:
        facts = StateFacts.model_validate_json((folder / FACTS).read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{folder / FACTS}: cannot be read: {error}") from None
    if facts.format != FORMAT:
        raise ArtifactError(f"{folder / FACTS}: format {facts.format}; this version of ranker reads format {FORMAT}")
    carried = Carried(artifact.encoder, by_feature(_arrays(folder / IDS)), facts.day)
    return Earlier(artifact, manifest_digest(artifact), facts, carried)


def flat(facts: Mapping[str, Mapping[str, NDArray[Any]]]) -> Arrays:
    """Facts of features under names ``feature.part``."""
    return {f"{name}.{part}": array for name, parts in facts.items() for part, array in parts.items()}


def by_feature(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Arrays]:
    """Facts of features, from :func:`flat`."""
    facts: dict[str, Arrays] = {}
    for name, array in arrays.items():
        feature, _, part = name.rpartition(".")
        facts.setdefault(feature, {})[part] = array
    return facts


def write_ids(folder: Path, facts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """Write the facts of features into a folder."""
    np.savez(folder / IDS, allow_pickle=False, **flat(facts))


def read_ids(folder: Path) -> dict[str, Arrays]:
    """Read the facts of features. Raises ``FileNotFoundError``."""
    with np.load(folder / IDS, allow_pickle=False) as arrays:
        return by_feature(dict(arrays))


def write_state(
    folder: Path, facts: StateFacts, ids: Mapping[str, Mapping[str, NDArray[Any]]], variables: Mapping[str, Rows]
) -> None:
    """Write the folder ``state`` of an artifact that is being exported into ``folder``."""
    (folder / STATE).mkdir()
    (folder / STATE / FACTS).write_bytes(orjson.dumps(facts.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
    write_ids(folder / STATE, ids)
    write_arrays(folder / STATE / VARIABLES, variables)


def _arrays(file: Path) -> Arrays:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{file}: cannot be read: {error}") from None
