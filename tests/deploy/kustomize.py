"""Builds kustomizations as far as ours need it; whatever else one asks for is an error, not left out."""

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KEYS = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "patches", "images", "configurations"}
GENERATOR = {"name", "envs", "files", "literals", "options"}

Object = dict[str, Any]


GENERATED = "generated"
"""Key of the objects whose names get a hash; it is taken away again."""


def build(folder: Path) -> list[Object]:
    """The objects that ``kubectl apply -k`` of a folder sends."""
    objects = accumulated(folder)
    for found in objects:
        if found.pop(GENERATED, False):
            before = found["metadata"]["name"]
            found["metadata"]["name"] = f"{before}-{_hash(found['data'])}"
            for place, key in (place for each in objects for place in config_map_names(each)):
                if place[key] == before:
                    place[key] = found["metadata"]["name"]
    identities = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(identities) == len(set(identities)), identities
    return objects


def accumulated(folder: Path) -> list[Object]:
    """The objects before generated names get their hash, which comes last."""
    asked = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert asked.keys() <= KEYS, asked.keys() - KEYS
    objects: list[Object] = []
    for name in asked["resources"]:
        path = folder / name
        objects += accumulated(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    objects += [config_map(folder, wanted) for wanted in asked.get("configMapGenerator", [])]
    for patch in asked.get("patches", []):
        objects = patched(objects, patch, folder)
    for found in objects:
        if "namespace" in asked:
            found["metadata"]["namespace"] = asked["namespace"]
        for container in containers(found):
            for image in asked.get("images", []):
                if container["image"] == image["name"]:
                    container["image"] = f"{image['newName']}:{image['newTag']}"
    return objects


def config_map(folder: Path, wanted: Object) -> Object:
    """A generated ConfigMap, whose name has no hash yet."""
    assert wanted.keys() <= GENERATOR, wanted.keys() - GENERATOR
    data = {name: (folder / name).read_text() for name in wanted.get("files", [])}
    lines = [line for name in wanted.get("envs", []) for line in (folder / name).read_text().splitlines()]
    for line in [*lines, *wanted.get("literals", [])]:
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            data[key] = value
    labels = wanted.get("options", {}).get("labels", {})
    metadata = {"name": wanted["name"], "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, GENERATED: True}


def patched(objects: list[Object], patch: Object, folder: Path) -> list[Object]:
    """The objects after a JSON patch (RFC 6902), or without the one that a patch deletes."""
    text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text()
    content = yaml.safe_load(text)
    if isinstance(content, dict):
        assert content.pop("$patch") == "delete", "only deleting is understood of strategic merge patches"
        kept = [each for each in objects if not _is(each, content["kind"], content["metadata"]["name"])]
        assert len(kept) == len(objects) - 1
        return kept
    target = patch["target"]
    (found,) = [each for each in objects if _is(each, target["kind"], target["name"])]
    for operation in content:
        _apply(found, **operation)
    return objects


def _apply(document: Any, op: str, path: str, value: Any) -> None:
    *parents, last = path.strip("/").split("/")
    for part in parents:
        document = document[int(part)] if isinstance(document, list) else document[part]
    value = copy.deepcopy(value)
    if isinstance(document, list):
        place = len(document) if last == "-" else int(last)
        if op == "add":
            document.insert(place, value)
            return
    else:
        place = last
    if op == "test":
        assert document[place] == value, f"{path}: is {document[place]!r}, not {value!r}"
    elif op == "replace":
        assert document[place] is not None
        document[place] = value
    else:
        assert (op, isinstance(document, dict)) == ("add", True), op
        assert place not in document, f"{path}: is there already, and would be replaced"
        document[place] = value


def pods(found: Object) -> Iterator[Object]:
    """The templates of pods in an object: metadata and spec."""
    spec, kind = found.get("spec", {}), found["kind"]
    if kind in ("Deployment", "Job"):
        yield spec["template"]
    elif kind == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]
    elif kind == "RayJob":
        cluster = spec["rayClusterSpec"]
        yield from (group["template"] for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]])


def containers(found: Object) -> Iterator[Object]:
    """All containers of an object's pods."""
    for pod in pods(found):
        yield from [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def config_map_names(found: Object) -> Iterator[tuple[Object, str]]:
    """Where an object names ConfigMaps: a mapping and the key in it."""
    for container in containers(found):
        yield from (
            (source["configMapRef"], "name") for source in container.get("envFrom", []) if "configMapRef" in source
        )
    for pod in pods(found):
        yield from ((volume["configMap"], "name") for volume in pod["spec"].get("volumes", []) if "configMap" in volume)


def _is(found: Object, kind: str, name: str) -> bool:
    return (found["kind"], found["metadata"]["name"]) == (kind, name)


def _hash(data: Object) -> str:
    return hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()[:10]
