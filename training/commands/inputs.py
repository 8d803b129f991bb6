"""Inputs of the commands: a config, data, a console."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
from rich.console import Console

from ranker.artifact import Artifact
from ranker.artifact import load as load_artifact
from ranker.log_files.log_reader import Source
from training.config.experiment import Experiment, checked, load
from training.data.experiment_log import kinds_of
from training.data.stored_table import stored

if TYPE_CHECKING:
    import pyarrow as pa

Config: TypeAlias = Experiment | Mapping[str, Any] | str | Path
"""An experiment, its content as a dict, or the path of its YAML file."""
Data: TypeAlias = "pd.DataFrame | pa.Table | str | Path | Sequence[str | Path] | None"
"""Rows of a log: a DataFrame, an Arrow table, or files, folders and globs; ``None`` for those in the config."""
Progress: TypeAlias = bool | Console
"""``True`` prints to standard output or the notebook, ``False`` prints nothing; or a Rich console."""

FRAMES = "tables"


def experiment_of(config: Config) -> Experiment:
    """Load or check an experiment. Raises ``ConfigError`` naming each mistake by path, and by line in a file."""
    if isinstance(config, Experiment):
        return config
    if isinstance(config, str | Path):
        return load(Path(config))
    return checked(config)


def artifact_of(artifact: str | Path | Artifact) -> Artifact:
    """Load an artifact unless it is one already. Raises ``ArtifactError``."""
    return artifact if isinstance(artifact, Artifact) else load_artifact(Path(artifact))


def carrying_on(config: Config, from_artifact: str | Path | Artifact | None) -> tuple[Experiment, Artifact | None]:
    """The experiment, and the artifact that it carries on, if any. Raises ``ConfigError`` and ``ArtifactError``."""
    experiment = experiment_of(config)
    if from_artifact is None:
        return experiment, None
    carried = artifact_of(from_artifact)
    return experiment.carrying_on(), carried


def source_of(experiment: Experiment, data: Data, folder: Path, console: Console) -> Source:
    """Files of a log; in-memory tables are first written to ``folder``, so that a run can be resumed.

    Raises ``DataError`` if a table cannot be written.
    """
    if data is None:
        return list(experiment.data.paths)
    if isinstance(data, str | Path):
        return [data]
    if isinstance(data, Sequence):
        return list(data) or list(experiment.data.paths)
    reads = kinds_of(experiment)
    return [stored(data, folder / FRAMES, reads, lambda text: console.print(text, markup=False))]


def in_memory(data: Data) -> bool:
    """Whether data is an in-memory table rather than files."""
    return data is not None and not isinstance(data, str | Path | Sequence)


def console_of(progress: Progress) -> Console:
    """The console to print to."""
    return progress if isinstance(progress, Console) else Console(quiet=not progress)
