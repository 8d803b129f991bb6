"""An artifact on every machine of a cluster: from the same path, or else out of the cluster's object store."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ranker.artifact import MANIFEST, STATE, Artifact, load
from ranker.artifact_files import digest
from ranker.cluster.session import Cluster
from ranker.file_locks import locked


class Shipped:
    """Where to find an artifact: its folder, its manifest's checksum, and its files as objects, if it has to travel."""

    def __init__(self, folder: Path, manifest: str, files: Mapping[str, Any]) -> None:
        self._folder, self._manifest, self._files = folder, manifest, files

    @classmethod
    def of(cls, artifact: Artifact, cluster: Cluster) -> "Shipped":
        """Put the files that the manifest lists into the object store, unless all processes are on this machine."""
        folder, files = artifact.folder.resolve(), {}
        if not cluster.own:
            names = [MANIFEST, *(name for name in artifact.manifest.files if not name.startswith(f"{STATE}/"))]
            files = {name: cluster.ray.put((folder / name).read_bytes()) for name in names}
        return cls(folder, digest(folder / MANIFEST), files)

    def opened(self) -> Artifact:
        """The artifact, on any machine of the cluster. Raises ``ArtifactError``."""
        if not self._files or self._is_at(self._folder):
            return load(self._folder)
        return load(self._copied())

    def _is_at(self, folder: Path) -> bool:
        try:
            return digest(folder / MANIFEST) == self._manifest
        except OSError:
            return False

    def _copied(self) -> Path:
        """The folder of a copy that all actors of this machine share; the first one makes it."""
        ray = import_module("ray")
        context = ray.get_runtime_context()
        session: Path = Path(context.get_temp_dir()) / context.get_session_name()  # Ray removes old ones
        copy = session / f"ranker-artifact-{self._manifest[:16]}"
        with locked(copy.with_suffix(".lock")):
            if not self._is_at(copy):
                for name in reversed(list(self._files)):  # the manifest last
                    (copy / name).parent.mkdir(parents=True, exist_ok=True)
                    (copy / name).write_bytes(ray.get(self._files[name]))
        return copy
