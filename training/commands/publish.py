"""Publishes an artifact to an object store."""

from pathlib import Path

from ranker.artifact import Artifact
from ranker.artifact_store import publish as published
from training.commands.inputs import artifact_of


def publish(artifact: str | Path | Artifact, url: str) -> str:
    """Copy a version of an artifact to ``URL/<its number>``, its manifest last, and return that URL.

    Parameters
    ----------
    artifact
        A folder that ``fit`` exported to, the folder of one version, or an ``Artifact``.
    url
        A folder of versions: ``s3://``, ``gs://``, ``abfs://`` or ``hdfs://``.

    Raises
    ------
    ArtifactError
        If the artifact is not valid.
    RemoteError
        If the store cannot be written, or has another version of this number.
    """
    return published(artifact_of(artifact).folder, str(url))
