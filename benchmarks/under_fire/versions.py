"""Versions of one artifact: valid ones that score and fuse differently, and ones that must be refused."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
from onnx import helper, numpy_helper

from ranker.artifact_files import digest


def sound(root: Path, version: int) -> None:
    """Version 1 under another number: scores are scaled by a factor, and one task has another share in the fusion.

    Model and fusion both differ from every other version's, so that an answer mixing two versions matches neither.
    """
    folder = root / f".{version}"
    shutil.copytree(root / "1", folder)
    factor = np.float32(1 - 0.02 * version)
    model = onnx.load(folder / "model.onnx")
    for node in model.graph.node:
        node.output[:] = ["unscaled" if name == "scores" else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array([factor]), "factor_of_version"))
    model.graph.node.append(helper.make_node("Mul", ["unscaled", "factor_of_version"], ["scores"]))
    onnx.save_model(model, folder / "model.onnx")
    golden, fusion = _read(folder / "golden.json"), _read(folder / "fusion.json")
    for request in golden:
        scores = request["scores"]
        request["scores"] = {task: (np.array(s, np.float32) * factor).tolist() for task, s in scores.items()}
    shares = {_read(folder / "manifest.json")["tasks"][0]: 1 + version / 10}
    fusion["default"]["options"] |= {"name": "additive", "options": {}, "parameters": {"share": shares}}
    _write(folder / "golden.json", golden)
    _write(folder / "fusion.json", fusion)
    _seal(folder, version, ["model.onnx", "golden.json", "fusion.json"])
    folder.rename(root / str(version))


def corrupt(folder: Path) -> None:
    """Flip one bit of the model."""
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def truncated(folder: Path) -> None:
    """Cut off the end of the model."""
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])


def wrong_schema(folder: Path) -> None:
    """Rename a candidate column, so that clients' requests would be refused."""
    manifest = _read(folder / "manifest.json")
    feature = next(iter(manifest["schema"]["candidate"].values()))
    feature["column"] = "renamed_column"
    _write(folder / "manifest.json", manifest)


def wrong_scores(folder: Path) -> None:
    """Change the golden scores, as if another model had given them."""
    golden = _read(folder / "golden.json")
    for values in golden[0]["scores"].values():
        values[0] += 0.01 * max(abs(values[0]), 1)
    _write(folder / "golden.json", golden)
    _seal(folder, int(folder.name.lstrip(".")), ["golden.json"])


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "corrupt": (corrupt, "unreadable"),
    "truncated": (truncated, "unreadable"),
    "wrong schema": (wrong_schema, "schema"),
    "wrong scores": (wrong_scores, "scores"),
}
"""Ways to break a version, and the cause under which its refusal is counted."""


def spoilt(root: Path, version: int, spoil: Callable[[Path], None]) -> None:
    """A broken copy of version 1."""
    folder = root / f".{version}"
    shutil.copytree(root / "1", folder)
    _seal(folder, version, [])
    spoil(folder)
    folder.rename(root / str(version))


def _seal(folder: Path, version: int, changed: list[str]) -> None:
    manifest = _read(folder / "manifest.json")
    manifest["files"] |= {name: digest(folder / name) for name in changed}
    _write(folder / "manifest.json", {**manifest, "version": version})


def _read(file: Path) -> Any:
    return orjson.loads(file.read_bytes())


def _write(file: Path, content: Any) -> None:
    file.write_bytes(orjson.dumps(content))
