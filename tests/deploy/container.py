"""A container of a built manifest as a process of this machine, with folders for its mounts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.kustomize import Object

OF_THE_IMAGE = {"XDG_CACHE_HOME": "/var/cache", "PYTHONUNBUFFERED": "1"}
"""What the Dockerfile sets."""


@dataclass(frozen=True)
class Container:
    """Arguments and environment as the container gets them, with a folder of this machine for each mount."""

    args: list[str]
    environment: dict[str, str]
    folders: Mapping[str, Path]


def container_of(
    found: Object, objects: list[Object], folder: Path, changes: Mapping[str, str], index: int | None = None
) -> Container:
    """The container with ``changes`` to what its ConfigMaps say; volumes are below ``folder``, by their names.

    ``index`` is that of its pod in an indexed Job.
    Each container that is given the same ``folder`` has the same volumes, as the containers of a pod have.
    """
    maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
    environment: dict[str, str] = {}
    for source in found.get("envFrom", []):
        environment |= maps[source["configMapRef"]["name"]] if "configMapRef" in source else {}
    assert changes.keys() <= environment.keys(), changes.keys() - environment.keys()
    for each in found.get("env", []):
        environment[each["name"]] = each["value"]
    folders = {mount["mountPath"]: folder / mount["name"] for mount in found["volumeMounts"]}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)

    def placed(text: str) -> str:
        """Text with folders of this machine for paths in the container."""
        option, mark, path = text.rpartition("=") if text.startswith("--") else ("", "", text)
        mount = next((each for each in folders if path == each or path.startswith(f"{each}/")), None)
        return text if mount is None else f"{option}{mark}{folders[mount]}{path.removeprefix(mount)}"

    kubernetes = {} if index is None else {"JOB_COMPLETION_INDEX": str(index)}
    here = {"XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder / "tmp"), **kubernetes, **changes}
    environment = {**OF_THE_IMAGE, **{name: placed(value) for name, value in environment.items()}, **here}
    args = [re.sub(r"\$\((\w+)\)", lambda name: environment[name[1]], placed(word)) for word in found["args"]]
    return Container(args, environment, folders)


def config_of(found: Object, objects: list[Object], volume: str) -> Any:
    """The files of a volume that is a ConfigMap."""
    (name,) = [each["configMap"]["name"] for each in found["spec"]["volumes"] if each["name"] == volume]
    return next(each["data"] for each in objects if each["metadata"]["name"] == name)
